"""More photos than one machine judges: parts of a folder, list, Parquet files or tars -> Parquet files, on Ray.

`judge.Judge` judges batches of photos on any engine. Only `on_ray` imports ray.
"""
