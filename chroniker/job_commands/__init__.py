"""The commands of jobs: which are allowed, their list, their arguments and their environment."""
