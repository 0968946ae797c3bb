"""Writes the PyTorch samples with stand-ins for torch: the pickles are Python's own."""
import collections, io, pickle, struct, sys, types, zipfile
import numpy as np
out = sys.argv[1]
torch = types.ModuleType("torch"); utils = types.ModuleType("torch._utils")
sys.modules["torch"] = torch; sys.modules["torch._utils"] = utils
def fake(module, name, mod):
    def f(*a): raise Exception
    f.__module__, f.__qualname__, f.__name__ = module, name, name
    setattr(mod, name, f); return f
rebuild = fake("torch._utils", "_rebuild_tensor_v2", utils)
parameter = fake("torch._utils", "_rebuild_parameter", utils)
storages = {}
def storage_type(name):
    t = type(name, (), {}); t.__module__ = "torch"; setattr(torch, name, t); return t
types_ = {n: storage_type(n) for n in ["FloatStorage","HalfStorage","BFloat16Storage","LongStorage","BoolStorage"]}
class Storage:
    def __init__(self, key, kind, data, count): self.key, self.kind, self.data, self.count = key, kind, data, count
class Tensor:
    def __init__(self, storage, offset, shape, stride): self.a = (storage, offset, shape, stride, False, collections.OrderedDict())
    def __reduce__(self): return rebuild, self.a
class Parameter:
    def __init__(self, t): self.t = t
    def __reduce__(self): return parameter, (self.t, True, collections.OrderedDict())
S = []
def store(kind, array):
    s = Storage(str(len(S)), types_[kind], array.tobytes(), array.size); S.append(s); return s
base = store("FloatStorage", np.arange(12, dtype="<f4"))
half = store("HalfStorage", np.array([1, -2.5, 65504], dtype="<f2"))
bf16 = store("BFloat16Storage", np.array([0x3f80, 0xc049], dtype="<u2"))
long = store("LongStorage", np.array([-2**40, 7], dtype="<i8"))
flag = store("BoolStorage", np.array([1, 0, 1], dtype="u1"))
state = collections.OrderedDict([
  ("module.weight", Parameter(Tensor(base, 0, (3, 4), (4, 1)))),
  ("module.transposed", Tensor(base, 0, (4, 3), (1, 4))),
  ("module.tail", Tensor(base, 7, (5,), (1,))),
  ("module.column", Tensor(base, 1, (3, 1), (4, 1))),
  ("module.expanded", Tensor(base, 2, (2, 2), (0, 0))),
  ("module.scalar", Tensor(base, 11, (), ())),
  ("module.half", Tensor(half, 0, (3,), (1,))),
  ("module.bf16", Tensor(bf16, 0, (2,), (1,))),
  ("module.long", Tensor(long, 0, (2,), (1,))),
  ("module.flag", Tensor(flag, 0, (3,), (1,))),
  ("module.empty", Tensor(flag, 0, (0, 3), (3, 1))),
])
root = {"epoch": 3, "best": 0.5, "big": 2**70, "name": "é", "state_dict": state, "optimizer": {"state": {0: {"step": 12, "exp_avg": Tensor(base, 0, (12,), (1,))}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}]}}
class P(pickle.Pickler):
    legacy = False
    def persistent_id(self, o):
        if isinstance(o, Storage): return ("storage", o.kind, o.key, "cpu", o.count) + ((None,) if self.legacy else ())
def dump(o, legacy, protocol=2):
    b = io.BytesIO(); p = P(b, protocol); p.legacy = legacy; p.dump(o); return b.getvalue()
for protocol, name in [(2, "torch.pth"), (4, "torch4.pth")]:
    with zipfile.ZipFile(f"{out}/{name}", "w", zipfile.ZIP_STORED) as z:
        w = lambda n, b: z.writestr(zipfile.ZipInfo(f"torch/{n}"), b)
        w("data.pkl", dump(root, False, protocol)); w("byteorder", b"little")
        for s in S: w(f"data/{s.key}", s.data)
        w("version", b"3\n")
with open(f"{out}/legacy.pth", "wb") as f:
    f.write(pickle.dumps(0x1950a86a20f9469cfc6c, 2)); f.write(pickle.dumps(1001, 2))
    f.write(pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2))
    f.write(dump(root, True)); f.write(pickle.dumps([s.key for s in S], 2))
    for s in S: f.write(struct.pack("<q", s.count) + s.data)
class Evil:
    def __reduce__(self): import os; return os.system, ("echo harm",)
with zipfile.ZipFile(f"{out}/evil.pth", "w", zipfile.ZIP_STORED) as z:
    z.writestr(zipfile.ZipInfo("evil/data.pkl"), pickle.dumps({"w": Evil()}, 2))
