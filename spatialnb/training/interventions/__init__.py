"""What the package itself can do to a run while it trains, one file each."""
