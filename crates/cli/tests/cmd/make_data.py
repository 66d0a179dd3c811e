"""Makes the small files in data.in: good ones, and such as nobody should be able to train on."""
import gzip, struct, zipfile, io
from pathlib import Path

import numpy as np

folder = Path(__file__).parent / "data.in"
rng = np.random.default_rng(7)

x = rng.normal(size=(60, 2)).astype(np.float32)
y = (x[:, 0] + x[:, 1] > 0).astype(np.int64) + 1
np.savez(folder / "good.npz", data=x, label=y)
np.save(folder.with_name("runs.in") / "three_features.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
np.savez(folder / "other_label.npz", data=x, label=np.where(y == 1, 9, y))
nan = x.copy()
nan[3, 1] = np.nan
np.savez(folder / "nan.npz", data=nan, label=y)
np.savez(folder / "ten.npz", data=x[:10], label=y[:10])
(folder / "empty.csv").write_bytes(b"")
(folder / "ragged.csv").write_text("a,b,class\n1,2,x\n3,4\n5,6,y\n")
(folder / "words.csv").write_text("a,b,class\n1,2,x\n3,four,y\n5,6,y\n7,8,x\n")
(folder / "lone.csv").write_text("a,b,class\n1,2,x\n3,4,x\n5,6,x\n7,8,x\n9,9,y\n")
(folder / "missing.csv").write_text("a,b,class\n1,2,x\n3,,y\n")
idx = struct.pack(">IIII", 2051, 3, 4, 4) + bytes(range(48))
(folder / "images.idx").write_bytes(idx)
(folder / "short.idx").write_bytes(idx[:30])
(folder / "overflow.idx").write_bytes(struct.pack(">IIIII", 0x0804, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF))
(folder / "picture.npz").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
npy = io.BytesIO()
np.save(npy, x)
(folder / "short.npy").write_bytes(npy.getvalue()[:200])
header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8), }"
header += b" " * (118 - len(header) - 1) + b"\n"
(folder / "overflow.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16))
(folder / "cifar").mkdir(exist_ok=True)
(folder / "cifar" / "data_batch_1.bin").write_bytes(bytes(3073) + bytes(1000))
(folder / "cifar" / "test.bin").write_bytes(bytes(3073))
(folder / "cifar" / "one.bin").write_bytes(bytes([3]) + bytes(range(256)) * 12)
(folder / "unlabelled.txt").write_text("good\tA fine day.\nbad\tRain.\nNo label here.\n")
