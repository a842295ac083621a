"""The tables, a subject a module. Each takes the results of a run; `weckd.analysis.registry` names them."""
