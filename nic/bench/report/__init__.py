"""Reports of measurements: files, tables, plots, comparison."""
