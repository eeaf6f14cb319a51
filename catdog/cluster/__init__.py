"""`classify` on many machines, with Ray: a folder, list, Parquet files or tars -> Parquet files of rows.

`judge.Judge` judges batches of photos on any engine. Only `on_ray` imports ray.
"""
