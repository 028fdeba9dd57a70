"""The command line: train, predict, backends; reports and plots."""
