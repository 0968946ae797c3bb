"""`pytorch.py WORKLOAD THREADS [DEVICE]`: the workloads in PyTorch; ACS as its published layer runs it: pad, three convolutions, concat."""
import json, resource, sys, time
import torch, torch.nn.functional as F

name, threads, device = sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "cpu"
# float32 means float32.
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
torch.set_num_threads(threads)
torch.manual_seed(0)

def acs(x, w, stride=1):
    k = w.shape[2]
    o = w.shape[0]
    q, r = divmod(o, 3)
    counts = [q + (r > 0), q + (r > 1), q]
    p = (k - 1) // 2
    parts, row = [], 0
    for axis, n in enumerate(counts):
        v = w[row:row + n].unsqueeze(2 + axis)
        row += n
        pad = [p, p, p]
        pad[axis] = 0
        parts.append(F.conv3d(x, v, stride=stride, padding=pad))
    return torch.cat(parts, 1)

class Block(torch.nn.Module):
    def __init__(self, conv, into, out, stride):
        super().__init__()
        self.c1, self.c2 = conv(into, out, 3, stride), conv(out, out, 3, 1)
        self.b1, self.b2 = torch.nn.BatchNorm3d(out), torch.nn.BatchNorm3d(out)
        self.down = torch.nn.Sequential(conv(into, out, 1, stride), torch.nn.BatchNorm3d(out)) if into != out else None
    def forward(self, x):
        y = self.b2(self.c2(F.relu(self.b1(self.c1(x)))))
        return F.relu(y + (self.down(x) if self.down else x))

class AcsConv(torch.nn.Module):
    def __init__(self, into, out, k, stride):
        super().__init__()
        self.w, self.stride = torch.nn.Parameter(torch.randn(out, into, k, k) * (2 / (into * k * k)) ** .5), stride
    def forward(self, x):
        return acs(x, self.w, self.stride)

def dense(into, out, k, stride):
    return torch.nn.Conv3d(into, out, k, stride, (k - 1) // 2, bias=False)

def resnet(conv):
    layers, into = [conv(3, 64, 7, 2), torch.nn.BatchNorm3d(64), torch.nn.ReLU(), torch.nn.MaxPool3d(3, 2, 1)], 64
    for k in range(4):
        out = 64 * 2 ** k
        layers += [Block(conv, into, out, 2 if k else 1), Block(conv, out, out, 1)]
        into = out
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000)).eval()

def meshnet(size):
    layers, into = [], 1
    for d in [1, 2, 4, 8, 16, 8, 4, 2, 1]:
        layers += [torch.nn.Conv3d(into, 5, 3, 1, d, d), torch.nn.ReLU()]
        into = 5
    return torch.nn.Sequential(*layers, torch.nn.Conv3d(5, 3, 1)).eval()

class Twice(torch.nn.Module):
    def __init__(self, into, middle, out):
        super().__init__()
        self.a, self.b = AcsConv(into, middle, 3, 1), AcsConv(middle, out, 3, 1)
        self.na, self.nb = torch.nn.BatchNorm3d(middle), torch.nn.BatchNorm3d(out)
    def forward(self, x):
        return F.relu(self.nb(self.b(F.relu(self.na(self.a(x))))))

class UNet(torch.nn.Module):
    """The small U-Net of the ACS paper with ACS convolutions everywhere."""
    def __init__(self, classes=3):
        super().__init__()
        self.enc1, self.enc2, self.dec1, self.final = Twice(1, 64, 64), Twice(64, 128, 128), Twice(192, 64, 32), AcsConv(32, classes, 1, 1)
    def forward(self, x):
        double = lambda v: F.interpolate(v, scale_factor=2, mode="trilinear", align_corners=False)
        x = F.max_pool3d(self.enc1(x), 2)
        return self.final(double(self.dec1(torch.cat([x, double(F.max_pool3d(self.enc2(x), 2))], 1))))

def differentiated(f, *inputs):
    """Forward, and the gradients by all inputs for a given gradient of the output."""
    for t in inputs:
        t.requires_grad_(True)
    g = torch.randn_like(f())
    def run():
        torch.autograd.grad(f(), inputs, g)
    return run

convolutions = {"W1": (64, 64, 32, 3), "W2": (64, 64, 32, 3), "W3": (16, 32, 48, 3), "W4": (16, 32, 48, 3), "W5": (256, 64, 16, 1)}

def prepared():
    base = name.removesuffix("-grad")
    if base in convolutions:
        c, o, n, k = convolutions[base]
        flat = base in ("W2", "W4")
        x, w = torch.randn(1, c, n, n, n), torch.randn(o, c, *([k] * (2 if flat else 3)))
        f = (lambda: acs(x, w)) if flat else (lambda: F.conv3d(x, w, padding=(k - 1) // 2))
        return differentiated(f, x, w) if name != base else f
    if name == "W7":
        x = torch.randn(1, 64, 64, 64, 64)
        return lambda: torch.relu(1.5 * x + .25)
    if name == "chain":
        x = torch.randn(1, 64, 64, 64, 64)
        return lambda: .5 * torch.relu(1.5 * x + .25) - 1
    if name in ("W6-acs", "W6-dense"):
        net, x = resnet(AcsConv if name == "W6-acs" else dense), torch.randn(1, 3, 32, 64, 64)
        return lambda: net(x)
    if name.startswith("meshnet"):
        size = int(name.split(":")[1]) if ":" in name else 256
        net, x = meshnet(size), torch.randn(1, 1, size, size, size)
        return lambda: net(x).argmax(1)
    if base == "unet":
        net, x = UNet().train(), torch.randn(1, 1, 48, 48, 48)
        if name == base:
            return lambda: net(x).square().mean()
        return lambda: torch.autograd.grad(net(x).square().mean(), list(net.parameters()))
    raise ValueError(f"no workload {name}")

f = None
with torch.inference_mode(not name.endswith("-grad")):
    for line in sys.stdin:
        what = line.split()[0]
        try:
            t = time.perf_counter()
            if what == "end":
                print(json.dumps({"peakRssMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
                break
            if what == "start":
                f = prepared()
            f()
            ms = (time.perf_counter() - t) * 1e3
            print(json.dumps({"ready": True, "firstMs": ms, "device": "pytorch " + torch.__version__, "sample": []} if what == "start" else {"ms": ms}), flush=True)
        except Exception as error:
            print(json.dumps({"error": str(error)}), flush=True)
