"""All photos of a folder -> a CSV or Parquet file of answers, in a run that can be stopped and continued.

    from catdog.folder.run import classify

    if __name__ == "__main__":  # each process that decodes imports this script
        classify(Path("photos"), Path("answers.csv"), catdog.load())

This file imports nothing, so that the processes that decode start quickly.
"""
