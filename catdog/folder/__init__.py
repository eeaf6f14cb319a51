"""All photos of a folder -> a CSV or Parquet file of answers, in a run that may be stopped and go on.

    from catdog.classify.run import classify

    if __name__ == "__main__":  # each process that decodes imports this script
        classify(Path("photos"), Path("answers.csv"), catdog.load())

The package itself imports nothing: each process that decodes starts with importing it.
"""
