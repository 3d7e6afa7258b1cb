"""nic: a learned image codec made of composable Unix tools."""

__version__ = "0.1.0"
