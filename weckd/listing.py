"""What the command line lists for a person: data sets, methods, and the results of a run."""

from dataclasses import astuple, fields
from pathlib import Path

from tabulate import tabulate

from weckd.config import DistillationSettings, Suite
from weckd.data.catalogue import Dataset, find_dataset, load_catalogue
from weckd.errors import UserError
from weckd.methods.catalogue import METHODS, Budget, suite_budget
from weckd.methods.recipe import ClassFrequencies, Fit, Initial, Method
