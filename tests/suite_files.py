"""Suite files that several tests resolve, and a data set's entry of a user's own."""

from engine import REPOSITORY

CONFIG = REPOSITORY / "config"
PHANTOMS = [CONFIG / "phantoms.yaml"]
ENTRY = """
"2019":
  title: My ears
  modality: otoscopy
  licence: unknown
  source: my camera
  layout: class-folders
  folders: [{path: ., official_split: ""}]
  groups: near-duplicates
  classes: [{key: no, folder: 2018, title: none}, {key: yes, folder: 1e3x, title: some}]
"""
