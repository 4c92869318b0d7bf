"""Checkpoints made by hand, byte by byte: the means to make them, and a table of those that are made to do harm.

`HOSTILE` maps what a file attempts to a function that makes it. What runs although nothing should adds to `RAN`.
"""

from __future__ import annotations

import collections
import io
import pickle
import struct
import zipfile

Run = collections.namedtuple("Run", "name epoch")


def zipped(pickled=b"\x80\x02N.", entries=None, version=b"3\n", root="archive", first="data.pkl", **info) -> io.BytesIO:
    """A zip with a pickle and other entries, as PyTorch lays it out."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **info) as archive:
        archive.writestr(f"{root}/{first}", pickled)
        for name, data in (entries or {}).items():
            archive.writestr(f"{root}/{name}", data)
        if version is not None:
            archive.writestr(f"{root}/version", version)
    file.seek(0)
    return file


def text(s) -> bytes:
    raw = s if isinstance(s, bytes) else s.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(n) -> bytes:
    return b"\x8a" + bytes([len(pickle.encode_long(n))]) + pickle.encode_long(n)


def name_of(full) -> bytes:
    module, _, name = full.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def call(function, *args) -> bytes:
    return name_of(function) + b"(" + b"".join(args) + b"tR"


def numbers(*values) -> bytes:
    return b"(" + b"".join(number(v) for v in values) + b"t"


def storage(kind="torch.FloatStorage", key="0", location="cpu", count=2, more=b"") -> bytes:
    key_bytes = text(key) if isinstance(key, (str, bytes)) else number(key)
    return b"(" + text("storage") + name_of(kind) + key_bytes + text(location) + number(count) + more + b"tQ"


def pickled_tensor(
    offset=0, size=(2,), stride=(1,), grad=b"\x89", function="torch._utils._rebuild_tensor_v2", more=b"", **where
):
    hooks = call("collections.OrderedDict")
    parts = storage(**where), number(offset), numbers(*size), numbers(*stride), grad, hooks, more
    return b"\x80\x02" + call(function, *parts) + b"."


def tensor_file(data=bytes(8), **options) -> io.BytesIO:
    return zipped(pickled_tensor(**options), {"data/0": data})


def older(pickled, data=b"", keys=b"\x80\x02].", magic=0x1950A86A20F9469CFC6C, protocol=1001) -> io.BytesIO:
    head = pickle.dumps(magic, 2) + pickle.dumps(protocol, 2) + pickle.dumps({"little_endian": True}, 2)
    return io.BytesIO(head + pickled + keys + data)


def older_tensor(count=2, claimed=2, data=bytes(8), keys=("0",), **options) -> io.BytesIO:
    pickled = pickled_tensor(count=count, more=options.pop("more", b""), **options).replace(b"tQ", b"NtQ")
    return older(pickled, struct.pack("<q", claimed) + data, pickle.dumps(list(keys), 2))


def patched(file, old, new, count=1) -> io.BytesIO:
    content = file.getvalue()
    assert old in content
    return io.BytesIO(content.replace(old, new, count))


def directory_field(file, entry, offset, packed) -> io.BytesIO:
    """The zip with a field of an entry's record in the directory overwritten."""
    content = bytearray(file.getvalue())
    at = content.rfind(entry.encode()) - 46
    assert content[at : at + 4] == b"PK\1\2"
    content[at + offset : at + offset + len(packed)] = packed
    return io.BytesIO(bytes(content))


RAN = []


def evil(*args):
    RAN.append(args)
    return {}


class EvilState:
    def __setstate__(self, state):
        RAN.append(state)


class EvilTuple(Run):
    def __new__(cls, *args):
        RAN.append(args)
        return super().__new__(cls, *args)


HERE = __name__


def proto(body) -> io.BytesIO:
    return zipped(b"\x80\x02" + body + b".")


def dtype_of(code) -> bytes:
    return call("numpy.dtype", text(code), b"\x89", b"\x88")


def array_of(shape, kind, raw, extra=b"") -> bytes:
    made = call("numpy.core.multiarray._reconstruct", name_of("numpy.ndarray"), numbers(0), text("b"))
    data = call("_codecs.encode", text(raw), text("latin1"))
    return made + b"(" + number(1) + numbers(*shape) + kind + b"\x89" + data + extra + b"tb"


def objects(n) -> bytes:
    return b"]" * n + b"a" * (n - 1)


def copies(function, thing, times=200_000) -> io.BytesIO:
    """The function called on the same thing again and again, with all results kept."""
    prepared = name_of(function) + b"q\x010" + thing + b"q\x000]("
    return proto(prepared + b"h\x01h\x00\x85R" * times + b"e")


LONG_LIST = b"](" + b"N" * 100_000 + b"e"
LONG_DICT = b"}(" + b"".join(b"M" + struct.pack("<H", i) + b"N" for i in range(60_000)) + b"u"
LONG_TEXT = text("x" * 1_000_000)


def tensors_without_end() -> io.BytesIO:
    """One description of a tensor, built a hundred thousand times."""
    hooks = call("collections.OrderedDict")
    arguments = b"(" + storage() + number(0) + numbers(2) + numbers(1) + b"\x89" + hooks + b"t"
    body = name_of("torch._utils._rebuild_tensor_v2") + b"q\x010" + arguments + b"q\x000]("
    return zipped(b"\x80\x02" + body + b"h\x01h\x00R" * 100_000 + b"e.", {"data/0": bytes(8)})


def directory_of_lies(entries=20_000) -> io.BytesIO:
    """Twenty thousand more entries that all lie over the same bytes."""
    content = GOOD.getvalue()
    end = content.rfind(b"PK\5\6")
    (size,) = struct.unpack("<L", content[end + 12 : end + 16])
    at = content.rfind(b"archive/data/0") - 46
    more = b"".join(content[at : at + 46] + b"archive/data/%d" % (i % 10) for i in range(entries))
    count = struct.pack("<HHL", entries + 3, entries + 3, size + len(more))
    return io.BytesIO(content[:end] + more + content[end : end + 8] + count + content[end + 16 :])


def end_field(file, offset, packed) -> io.BytesIO:
    """The zip with a field of the record at its very end overwritten."""
    content = bytearray(file.getvalue())
    at = content.rfind(b"PK\5\6") + offset
    content[at : at + len(packed)] = packed
    return io.BytesIO(bytes(content))


GOOD = tensor_file()
HOSTILE = {
    # code
    "os.system": lambda: proto(call("os.system", text("touch hacked"))),
    "posix.system": lambda: proto(call("posix.system", text("touch hacked"))),
    "eval": lambda: proto(call("builtins.eval", text("1+1"))),
    "exec under its old name": lambda: proto(call("__builtin__.exec", text("x=1"))),
    "getattr": lambda: proto(call("builtins.getattr", name_of("collections.OrderedDict"), text("mro"))),
    "import": lambda: proto(call("builtins.__import__", text("antigravity"))),
    "a function of the program": lambda: proto(call(f"{HERE}.evil", number(1))),
    "a class of the program, made": lambda: proto(name_of(f"{HERE}.EvilState") + b")\x81"),
    "a class of the program, with a state": lambda: proto(name_of(f"{HERE}.EvilState") + b")\x81}b"),
    "a module that was not imported": lambda: proto(name_of("antigravity.x")),
    "the command line of Rushlight": lambda: proto(name_of("torch.__main__.main")),
    "a dotted name": lambda: zipped(b"\x80\x04" + text("collections") + text("OrderedDict.a.b") + b"\x93."),
    "os on the stack": lambda: zipped(b"\x80\x04" + text("os") + text("system") + b"\x93" + text("true") + b"\x85R."),
    "INST": lambda: proto(b"(" + text("true") + b"ios\nsystem\n"),
    "OBJ": lambda: proto(b"(" + name_of("os.system") + text("true") + b"o"),
    "EXT1": lambda: proto(b"\x82\x01"),
    "PERSID": lambda: proto(b"Pstorage\n"),
    "code in the older format": lambda: older(b"\x80\x02" + call("os.system", text("true")) + b"."),
    "code before the magic number": lambda: io.BytesIO(b"\x80\x02" + call("os.system", text("true")) + b"."),
    "codecs.encode with another codec": lambda: proto(call("_codecs.encode", text("a"), text("rot13"))),
    "a defaultdict that calls the program": lambda: proto(call("collections.defaultdict", name_of("torch.Tensor"))),
    "a call of what is no function": lambda: proto(b"]" + b")R"),
    "a call of an int": lambda: proto(number(3) + b")R"),
    "a call with a list": lambda: proto(name_of("collections.OrderedDict") + b"]R"),
    "a Tensor's methods overwritten": lambda: proto(
        call("torch._utils._rebuild_parameter_with_state", pickled_tensor()[2:-1], b"\x88", b"N",
             b"}" + text("backward") + number(1) + b"s")),
    "a Tensor's inner parts overwritten": lambda: proto(
        call("torch._utils._rebuild_parameter_with_state", pickled_tensor()[2:-1], b"\x88", b"N",
             b"}" + text("_value") + number(1) + b"s")),
    "a dict overwritten": lambda: proto(call("collections.OrderedDict") + b"}" + text("items") + number(1) + b"sb"),
    "__class__ overwritten": lambda: proto(name_of("argparse.Namespace") + b")\x81}" + text("__class__") + b"Nsb"),
    "the state of a tuple": lambda: proto(b")}b"),
    "an object array": lambda: proto(array_of((1,), dtype_of("O8"), "")),
    "a structured array": lambda: proto(array_of((1,), dtype_of("V8"), "12345678")),
    # memory
    "set of a huge range": lambda: proto(call("builtins.set", call("builtins.range", number(1 << 50)))),
    "list of a huge range": lambda: proto(call("builtins.list", call("builtins.range", number(1 << 50)))),
    "a bytearray by its length": lambda: proto(call("builtins.bytearray", number(1 << 50))),
    "a text longer than the file": lambda: proto(b"X\xff\xff\xff\x7fabc"),
    "bytes longer than memory": lambda: zipped(b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7fabc."),
    "a bytearray longer than memory": lambda: zipped(b"\x80\x05\x96" + b"\xff" * 7 + b"\x7fabc."),
    "a frame longer than the file": lambda: zipped(b"\x80\x04\x95" + b"\xff" * 7 + b"\x00N."),
    "a negative length": lambda: proto(b"T\xff\xff\xff\xff"),
    "an array larger than its bytes": lambda: proto(array_of((1 << 40,), dtype_of("f8"), "abc")),
    "an array of a negative size": lambda: proto(array_of((-1,), dtype_of("f8"), "")),
    "a storage larger than its entry": lambda: tensor_file(count=1 << 40),
    "a storage of negative size": lambda: tensor_file(count=-1),
    "a storage of absurd size": lambda: tensor_file(count=1 << 100),
    "a tensor beyond its storage": lambda: tensor_file(size=(3,)),
    "an offset beyond its storage": lambda: tensor_file(offset=1),
    "a negative offset": lambda: tensor_file(offset=-1),
    "a negative stride": lambda: tensor_file(stride=(-1,), offset=1),
    "strides beyond the storage": lambda: tensor_file(stride=(1 << 40,)),
    "a size whose product overflows": lambda: tensor_file(size=(1 << 40, 1 << 40), stride=(0, 0)),
    "a negative size": lambda: tensor_file(size=(-2,)),
    "sizes and strides that do not match": lambda: tensor_file(size=(1, 2)),
    "too many dimensions": lambda: tensor_file(size=(1,) * 100, stride=(1,) * 100),
    "a conjugate of an expanded tensor": lambda: tensor_file(
        kind="torch.ComplexFloatStorage", count=1, size=(1 << 30,), stride=(0,), more=b"}" + text("conj") + b"\x88s"),
    "the older format's storage beyond the file": lambda: older_tensor(count=1 << 40),
    "the older format's storage beyond memory": lambda: older_tensor(count=1 << 62),
    "the older format's storage with another length": lambda: older_tensor(claimed=3),
    "the older format cut off in its data": lambda: older_tensor(data=bytes(7)),
    "the older format without its keys": lambda: older_tensor(keys=()),
    "the older format with other keys": lambda: older_tensor(keys=("1",)),
    "the older format with a key twice": lambda: older_tensor(keys=("0", "0")),
    # memory: one thing copied again and again
    "lists copied": lambda: copies("builtins.list", LONG_LIST),
    "tuples copied": lambda: copies("builtins.tuple", LONG_LIST),
    "sizes copied": lambda: copies("torch.Size", b"((" + b"K\1" * 100_000 + b"tt" + b"0(" + b"K\1" * 100_000 + b"t"),
    "deques copied": lambda: copies("collections.deque", LONG_LIST, 1000),
    "sets copied": lambda: copies("builtins.set", b"](" + b"".join(number(i) for i in range(9999)) + b"e"),
    "dicts copied": lambda: copies("builtins.dict", LONG_DICT),
    "ordered dicts copied": lambda: copies("collections.OrderedDict", LONG_DICT),
    "counters copied": lambda: copies("collections.Counter", LONG_DICT),
    "states copied": lambda: proto(
        name_of("argparse.Namespace") + b"q\x010}(" + b"".join(text(f"a{i}") + b"N" for i in range(50_000))
        + b"uq\x000]("
        + b"h\x01)\x81h\x00b" * 100_000 + b"e"),
    "bytes made of one text": lambda: proto(
        name_of("_codecs.encode") + b"q\x010" + LONG_TEXT + text("latin1") + b"\x86q\x000](" + b"h\x01h\x00R" * 200_000
        + b"e"),
    "bytearrays made of one text": lambda: proto(
        name_of("builtins.bytearray") + b"q\x010" + LONG_TEXT + text("latin1") + b"\x86q\x000]("
        + b"h\x01h\x00R" * 200_000
        + b"e"),
    "arrays made of one text": lambda: proto(
        name_of("numpy.core.multiarray._reconstruct") + b"q\x010" + name_of("numpy.ndarray") + numbers(0) + text("b")
        + b"\x87q\x020(" + number(1) + numbers(1_000_000) + dtype_of("u1") + b"\x89" + LONG_TEXT + b"tq\x000]("
        + b"h\x01h\x02Rh\x00b" * 50_000 + b"e"),
    "tensors without end": tensors_without_end,
    "generators without end": lambda: proto(name_of("torch._C.Generator") + b"q\x000](" + b"h\x00)R" * 500_000 + b"e"),
    "a number longer than the file": lambda: proto(b"\x8b\xff\xff\xff\x7f\x01"),
    "a short number longer than the file": lambda: proto(b"\x8a\xff\x01"),
    "a negative number of bytes in a number": lambda: proto(b"\x8b\xff\xff\xff\xff\x01"),
    "text beyond memory": lambda: zipped(b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fabc."),
    "one of the oldest numbers, a million digits": lambda: proto(b"L" + b"9" * 60_000 + b"L\n"),
    # depth
    "lists a hundred thousand deep": lambda: proto(objects(100_000)),
    "tuples a hundred thousand deep": lambda: proto(b")" + b"\x85" * 100_000),
    "dicts a hundred thousand deep": lambda: proto(b"}" * 1 + (text("a") + b"}") * 100_000 + b"s" * 100_000),
    "marks without end": lambda: proto(b"(" * 200_000),
    "a key that is deep": lambda: proto(b"}" + b")" + b"\x85" * 100_000 + b"Ns"),
    "a key that doubles forty times": lambda: proto(b"})" + b"2\x86" * 40 + b"Ns"),
    "a member of a set that is deep": lambda: zipped(b"\x80\x04\x8f()" + b"\x85" * 100_000 + b"\x90."),
    "deques inside deques": lambda: proto(call("collections.deque") + call("collections.deque") * 9999 + b"a" * 9999),
    "slices inside slices": lambda: proto(b"N" + b"".join([]) + name_of("builtins.slice") + b"(]NNtR"),
    # the machine
    "an empty pickle": lambda: zipped(b""),
    "a pickle without an end": lambda: zipped(b"\x80\x02N"),
    "an instruction that is none": lambda: zipped(b"\x80\x02\x00."),
    "a protocol of the future": lambda: zipped(b"\x80\x09N."),
    "an empty stack": lambda: zipped(b"\x80\x02."),
    "a pop too many": lambda: proto(b"N00"),
    "an open mark at the end": lambda: proto(b"N(N"),
    "a memory that is not there": lambda: proto(b"h\x05"),
    "setting items of a list": lambda: proto(b"]NNs"),
    "half a pair": lambda: proto(b"}(Nu"),
    "appending to a dict": lambda: proto(b"}Na"),
    "a list as a key": lambda: proto(b"}]Ns"),
    "a long line": lambda: proto(b"I" + b"1" * 100_000 + b"\n"),
    "a number that is none": lambda: proto(b"Iabc\n"),
    "a global cut off": lambda: zipped(b"\x80\x02cos"),
    "text that is not UTF-8": lambda: proto(text(b"\xff\xfe")),
    # tensors that are none
    "a persistent id that is no tuple": lambda: proto(text("storage") + b"Q"),
    "a persistent id of something else": lambda: proto(b"(" + text("module") + b"tQ"),
    "a storage of no type": lambda: tensor_file(kind="torch.Tensor"),
    "a storage with a list for a key": lambda: proto(
        b"(" + text("storage") + name_of("torch.FloatStorage") + b"]" + text("cpu") + number(1) + b"tQ"),
    "a storage described too briefly": lambda: proto(b"(" + text("storage") + name_of("torch.FloatStorage") + b"tQ"),
    "one storage with two types": lambda: zipped(
        b"\x80\x02" + storage() + storage(kind="torch.IntStorage") + b"\x86.", {"data/0": bytes(8)}),
    "a tensor on a list": lambda: proto(
        call("torch._utils._rebuild_tensor", b"]", number(0), numbers(1), numbers(1))),
    "a tensor with text for a size": lambda: proto(
        call("torch._utils._rebuild_tensor", storage(), number(0), b"(" + text("2") + b"t", numbers(1))),
    "gradients of integers": lambda: tensor_file(kind="torch.IntStorage", grad=b"\x88"),
    "requires_grad that is no bool": lambda: tensor_file(grad=b"K\x01"),
    "a parameter of a list": lambda: proto(call("torch._utils._rebuild_parameter", b"]", b"\x88", b"N")),
    "an unknown device": lambda: proto(call("torch.device", text("nowhere"))),
    "an unknown layout": lambda: proto(call("torch.serialization._get_layout", text("torch.hexagonal"))),
    "a sparse tensor": lambda: proto(call("torch._utils._rebuild_sparse_tensor", b"N", b"N")),
    "a quantized tensor without parts": lambda: proto(call("torch._utils._rebuild_qtensor", b"N", b"N", b"N", b"N")),
    "a quantized storage": lambda: tensor_file(kind="torch.QInt8Storage"),
    "a result type with too few fields": lambda: proto(call("torch.return_types.max", b")", b"}")),
    "a named tuple with too few fields": lambda: proto(name_of(f"{HERE}.Run") + b")\x81"),
    # the zip
    "only its first bytes": lambda: io.BytesIO(b"PK\3\4"),
    "a zip cut in half": lambda: io.BytesIO(GOOD.getvalue()[: len(GOOD.getvalue()) // 2]),
    "a zip without its last byte": lambda: io.BytesIO(GOOD.getvalue()[:-1]),
    "a zip without a pickle": lambda: zipped(first="other"),
    "a storage that is missing": lambda: zipped(pickled_tensor()),
    "a key that leads outside": lambda: zipped(pickled_tensor(key="../../../etc/passwd")),
    "an entry that leads outside": lambda: zipped(entries={"../../evil": b"x"}),
    "an entry with an absolute name": lambda: zipped(root=""),
    "an entry with a backslash": lambda: zipped(entries={"..\\evil": b"x"}),
    "two directories": lambda: patched(zipped(entries={"data/0": b""}), b"archive/data/0", b"brchive/data/0", 2),
    "two entries of one name": lambda: patched(zipped(entries={"data/0": b"", "data/1": b""}), b"data/1", b"data/0", 2),
    "a compressed entry": lambda: zipped(compression=zipfile.ZIP_DEFLATED, entries={"data/0": bytes(10_000)}),
    "an encrypted entry": lambda: directory_field(GOOD, "archive/data/0", 8, b"\x01\x00"),
    "an entry that claims more than the file": lambda: directory_field(
        GOOD, "archive/data/0", 20, struct.pack("<LL", 1 << 30, 1 << 30)),
    "an entry of two lengths": lambda: directory_field(GOOD, "archive/data/0", 20, struct.pack("<LL", 8, 1 << 31)),
    "an entry over the next one": lambda: directory_field(GOOD, "archive/data/0", 20, struct.pack("<LL", 60, 60)),
    "an entry that starts elsewhere": lambda: directory_field(GOOD, "archive/data/0", 42, struct.pack("<L", 3)),
    "an entry in the place of another": lambda: directory_field(GOOD, "archive/version", 42, struct.pack("<L", 0)),
    "a wrong checksum": lambda: directory_field(GOOD, "archive/data/0", 16, b"\1\2\3\4"),
    "a changed storage": lambda: patched(tensor_file(b"abcdefgh"), b"abcdefgh", b"abcdXfgh"),
    "a version of the future": lambda: zipped(version=b"11\n"),
    "no version": lambda: zipped(version=None),
    "version zero": lambda: zipped(version=b"0"),
    "a version that is no number": lambda: zipped(version=b"three"),
    "a version without end": lambda: zipped(version=b"3" * 100_000),
    "no such byte order": lambda: zipped(entries={"byteorder": b"middle"}),
    "TorchScript": lambda: zipped(entries={"constants.pkl": b"N."}),
    "entries over each other": directory_of_lies,
    "a directory that starts beyond the end": lambda: end_field(GOOD, 16, struct.pack("<L", 1 << 30)),
    "a directory larger than the file": lambda: end_field(GOOD, 12, struct.pack("<L", 1 << 30)),
    "a longer directory record that is not there": lambda: end_field(
        GOOD, 12, struct.pack("<LL", 0xFFFFFFFF, 0xFFFFFFFF)),
    "a header with a longer name": lambda: patched(GOOD, b"\x0e\0\0\0archive/data/0", b"\xff\xff\0\0archive/data/0"),
    "a header with a longer extra": lambda: patched(GOOD, b"\x0e\0\0\0archive/data/0", b"\x0e\0\xff\xffarchive/data/0"),
    "an unknown compression": lambda: directory_field(GOOD, "archive/data/0", 10, struct.pack("<H", 99)),
    "another method in the header than in the directory": lambda: patched(
        GOOD, b"PK\3\4\x14\0\0\0\0\0", b"PK\3\4\x14\0\0\0\x08\0"),
    "a link in the place of a storage": lambda: directory_field(
        tensor_file(b"/etc/passwd"[:7]), "archive/data/0", 38, struct.pack("<L", 0o120777 << 16)),
    "a name with an empty part": lambda: zipped(entries={"data//0": b"x"}),
    "a name that is only dots": lambda: zipped(root=".."),
    # something else
    "a tar file, as PyTorch 0.1 wrote": lambda: io.BytesIO(b"sys_info".ljust(257, b"\0") + b"ustar\x0000"
        + bytes(1000)),
    "a text file": lambda: io.BytesIO(b"hello, world\n"),
    "zeros": lambda: io.BytesIO(bytes(100)),
    "an image": lambda: io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(50)),
    "a plain pickle": lambda: io.BytesIO(pickle.dumps({"a": 1})),
    "another magic number": lambda: older(b"\x80\x02N.", magic=5),
    "another protocol version": lambda: older(b"\x80\x02N.", protocol=1002),
    "only the magic number": lambda: io.BytesIO(pickle.dumps(0x1950A86A20F9469CFC6C, 2)),
}  # fmt: skip
