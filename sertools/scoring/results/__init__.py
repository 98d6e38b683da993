"""What one classifier said about one test set, and how good that is: votes, metrics, the result file."""
