"""Photos as folders, lists, Parquet files and tars."""

import tarfile
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet


@pytest.fixture
def pack(tmp_path):
    """Write the files of a folder in another form, and return the address: manifest, csv, bytes, hub or tar."""

    def pack(folder: Path, form: str, *, rows: int = 16) -> Path:
        files = sorted(folder.iterdir())
        names, contents = [file.name for file in files], [file.read_bytes() for file in files]
        place = tmp_path / f"as-{form}"
        place.mkdir()
        if form == "csv":
            (folder / "list.csv").write_text("label,path\n" + "".join(f"x,{name}\n" for name in names))
            return folder / "list.csv"
        if form == "manifest":
            path = place / "list.parquet"
            parquet.write_table(pyarrow.table({"path": [str(file) for file in files], "n": range(len(files))}), path)
            return path
        if form == "tar":
            for number in range(2):
                with tarfile.open(place / f"{number}.tar", "w") as tar:
                    for file in files[number::2]:
                        tar.add(file, file.name)
                        tar.add(__file__, f"{file.stem}.txt")
            return place
        image = contents if form == "bytes" else [{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)]
        table = {"bytes": image, "path": names} if form == "bytes" else {"image": image, "label": range(len(names))}
        half = len(names) // 2
        parquet.write_table(pyarrow.table(table).slice(0, half), place / "0.parquet", row_group_size=rows)
        parquet.write_table(pyarrow.table(table).slice(half), place / "1.parquet", row_group_size=rows)
        return place / "*.parquet" if form == "bytes" else place

    return pack
