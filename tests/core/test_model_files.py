from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from onnxpress import model_files, streaming
from onnxpress.errors import InvalidModel, OnnxpressError
from onnxpress.protobuf_checking import tensors
from onnxpress.runtime import Session
from onnxpress.testing import assert_equivalent, model
from onnxpress.verify import verify

RNG = np.random.default_rng(0)


def classifier() -> ir.Model:
    """A network with a convolution, a reshape and a subgraph."""
    return model(
        """agraph (float[N,3,8,8] x, float[4,3,3,3] w, float[4] b) => (float[N,4] y)
        <int64[2] shape = {-1, 4}> {
            c = Conv<pads = [1,1,1,1]>(x, w, b)
            r = Relu(c)
            g = GlobalAveragePool(r)
            f = Reshape(g, shape)
            yes = Constant<value = bool {1}>()
            y = If(yes) <then_branch = a () => (float[N,4] p) { p = Softmax(f) },
                         else_branch = e () => (float[N,4] q) { q = Identity(f) }>
        }""",
        w=RNG.standard_normal((4, 3, 3, 3), dtype=np.float32),
        b=RNG.standard_normal(4, dtype=np.float32),
    )


def dense() -> ir.Model:
    return model(
        "agraph (float[N,300] x, float[300,4] w, float[4] b) => (float[N,4] y) { y = Gemm(x, w, b) }",
        w=RNG.standard_normal((300, 4), dtype=np.float32),
        b=RNG.standard_normal(4, dtype=np.float32),
    )


def feeds(samples: int = 2) -> dict[str, np.ndarray]:
    return {"x": RNG.standard_normal((samples, 300), dtype=np.float32)}


def refusal(path: Path) -> str:
    with pytest.raises(InvalidModel) as caught:
        model_files.load(path)
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def relocate(path: Path, location: str) -> None:
    """Let the external weight of the model at `path` lie at `location`."""
    proto = onnx.load(path, load_external_data=False)
    (tensor,) = (item for item in proto.graph.initializer if item.data_location == item.EXTERNAL)
    next(entry for entry in tensor.external_data if entry.key == "location").value = location
    path.write_bytes(proto.SerializeToString())


class TestRoundTrip:
    @pytest.mark.parametrize("external", [False, True], ids=["inline", "external"])
    def test_a_saved_model_is_loaded_again(self, tmp_path: Path, external: bool):
        before = dense()
        written = model_files.save(before, tmp_path / "m.onnx", external_data=external)
        assert written == [tmp_path / name for name in (["m.onnx", "m.onnx.data"] if external else ["m.onnx"])]
        assert names(tmp_path) == sorted(path.name for path in written)
        assert_equivalent(before, model_files.load(tmp_path / "m.onnx"), feeds(), rtol=0, atol=0)

    def test_a_path_may_be_text(self, tmp_path: Path):
        (path,) = model_files.save(dense(), f"{tmp_path}/model.onnx")
        assert path == tmp_path / "model.onnx"
        assert [node.op_type for node in model_files.load(f"{tmp_path}/model.onnx").graph] == ["Gemm"]

    def test_saving_changes_nothing_in_the_model(self, tmp_path: Path):
        original = dense()
        before = model_files.to_proto(original).SerializeToString(deterministic=True)
        model_files.save(original, tmp_path / "m.onnx", external_data=True)
        assert model_files.to_proto(original).SerializeToString(deterministic=True) == before

    def test_the_default_domain_by_its_other_name(self, tmp_path: Path):
        proto = model_files.to_proto(classifier())
        proto.opset_import[0].domain = "ai.onnx"
        (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
        verify(loaded := model_files.load(tmp_path / "m.onnx"))
        assert loaded.opset_imports == {"": 17}

    def test_the_same_model_gives_the_same_bytes(self, tmp_path: Path):
        original = classifier()
        for name in ("a.onnx", "b.onnx"):
            model_files.save(original, tmp_path / name)
        assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()

    def test_weights_without_any_big_one_stay_in_the_file(self, tmp_path: Path):
        assert model_files.save(classifier(), tmp_path / "m.onnx", external_data=True) == [tmp_path / "m.onnx"]
        assert names(tmp_path) == ["m.onnx"]

    def test_a_model_is_saved_over_its_own_source(self, tmp_path: Path):
        model_files.save(dense(), tmp_path / "m.onnx", external_data=True)
        loaded = model_files.load(tmp_path / "m.onnx")
        loaded.graph.initializers["b"].const_value = ir.tensor(np.zeros(4, np.float32), name="b")
        expected = Session(loaded, threads=1).run(sample := feeds())["y"]
        model_files.save(loaded, tmp_path / "m.onnx", external_data=True)
        assert names(tmp_path) == ["m.onnx", "m.onnx.data"]
        assert np.array_equal(Session(tmp_path / "m.onnx", threads=1).run(sample)["y"], expected)

    def test_a_loaded_model_does_not_depend_on_the_working_directory(self, tmp_path: Path, monkeypatch):
        model_files.save(dense(), tmp_path / "m.onnx", external_data=True)
        monkeypatch.chdir(tmp_path)
        loaded = model_files.load(Path("m.onnx"))
        monkeypatch.chdir("/")
        assert_equivalent(dense_like(loaded), loaded, feeds(), rtol=0, atol=0)

    def test_sizes(self, tmp_path: Path):
        original = dense()
        assert model_files.size(original) == 4 * (300 * 4 + 4)
        (path,) = model_files.save(original, tmp_path / "m.onnx")
        assert model_files.file_size(original) == path.stat().st_size

    def test_a_copy_without_weights_has_their_shapes_alone(self):
        skeleton = model_files.without_weights(dense(), keep=16)
        tensors = {name: value.const_value for name, value in skeleton.graph.initializers.items()}
        assert isinstance(tensors["w"], ir.ExternalTensor)
        assert list(tensors["w"].shape) == [300, 4]
        assert not isinstance(tensors["b"], ir.ExternalTensor)


def dense_like(loaded: ir.Model) -> ir.Model:
    """The same network with its weights in memory."""
    return ir.serde.deserialize_model(model_files.to_proto(loaded))


class TestDamage:
    def test_a_missing_file(self, tmp_path: Path):
        assert refusal(tmp_path / "absent.onnx") == f"{tmp_path / 'absent.onnx'} does not exist"

    def test_a_folder(self, tmp_path: Path):
        assert refusal(tmp_path) == f"cannot read {tmp_path}: Is a directory"

    @pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x03\x04", b"not a model\n"])
    def test_something_else(self, tmp_path: Path, content: bytes):
        path = tmp_path / "m.onnx"
        path.write_bytes(content)
        assert refusal(path).startswith(f"{path} is not an ONNX file, or is truncated or corrupt")

    def test_a_graph_that_the_checker_rejects(self, tmp_path: Path):
        path = tmp_path / "m.onnx"
        proto = model_files.to_proto(classifier())
        proto.graph.node[0].input[0] = "nowhere"
        path.write_bytes(proto.SerializeToString())
        assert refusal(path).startswith(f"{path} is not a valid ONNX model: Nodes in a graph must be topologically")

    @pytest.mark.parametrize("held", [3, 5])
    def test_a_tensor_with_another_number_of_numbers_than_its_shape(self, tmp_path: Path, held: int):
        proto = model_files.to_proto(dense())
        bias = next(tensor for tensor in proto.graph.initializer if tensor.name == "b")
        bias.raw_data = bytes(4 * held)
        path = tmp_path / "m.onnx"
        path.write_bytes(proto.SerializeToString())
        assert refusal(path).startswith(f"{path} is not a valid ONNX model: ")

    @pytest.mark.filterwarnings("ignore:Ignoring unknown external data")
    @pytest.mark.parametrize("seed", range(10))
    @pytest.mark.parametrize("external", [False, True], ids=["inline", "external"])
    def test_damage_is_refused_or_harmless(self, tmp_path: Path, seed: int, external: bool):
        path = tmp_path / "m.onnx"
        model_files.save(dense() if external else classifier(), path, external_data=external)
        sound, rng = path.read_bytes(), random.Random(seed)
        for _ in range(20):
            path.write_bytes(damaged(sound, rng))
            try:
                loaded = model_files.load(path)
                verify(loaded)
                model_files.save(loaded, tmp_path / "again.onnx")
                Session(loaded, threads=1)
            except OnnxpressError as error:
                assert "\n" not in str(error)

    @pytest.mark.long
    @pytest.mark.filterwarnings("ignore:Ignoring unknown external data")
    @pytest.mark.parametrize("seed", range(100, 200))
    def test_more_damage_is_refused_or_harmless(self, tmp_path: Path, seed: int):
        self.test_damage_is_refused_or_harmless(tmp_path, seed, external=seed % 2 == 0)


def damaged(content: bytes, rng: random.Random) -> bytes:
    """`content` cut short, with flipped bits, or with bytes lost, added or overwritten."""
    at, some = rng.randrange(len(content)), rng.randbytes(rng.randrange(1, 9))
    return rng.choice(
        [
            content[:at],
            content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :],
            content[:at] + content[at + len(some) :],
            content[:at] + some + content[at:],
            content[:at] + some + content[at + len(some) :],
        ]
    )


class TestExternalData:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        return model_files.save(dense(), folder / "m.onnx", external_data=True)[0]

    @pytest.mark.parametrize("location", ["../secret", "sub/../../secret", "/etc/passwd", ""])
    def test_outside_the_folder_is_refused(self, path: Path, location: str):
        (path.parent.parent / "secret").write_bytes(bytes(5000))
        relocate(path, location)
        assert refusal(path) == (
            f"{path}: weight 'w' refers to {str(Path(location))!r}, outside the model's folder; "
            "external data must lie beside the model"
        )

    def test_a_symbolic_link_out_of_the_folder_is_refused(self, path: Path):
        data = path.with_name("m.onnx.data")
        data.rename(path.parent.parent / "elsewhere")
        data.symlink_to(path.parent.parent / "elsewhere")
        assert "refers to 'm.onnx.data', outside the model's folder" in refusal(path)

    def test_small_tensors_come_into_memory(self, tmp_path: Path):
        """Some exporters put everything outside, shapes too, which inference and the converter of opsets read."""
        proto = onnx.parser.parse_model(
            """<ir_version: 9, opset_import: ["" : 12]> agraph (float[2,6] x) => (float[N,M] y)
            <int64[2] shape = {3, 4}> { y = Reshape(x, shape) }"""
        )
        proto.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(np.array([3, 4]), "shape"))
        onnx.save(proto, tmp_path / "m.onnx", save_as_external_data=True, location="data", size_threshold=0)
        verify(loaded := model_files.load(tmp_path / "m.onnx"))
        assert list(loaded.graph.outputs[0].shape) == [3, 4]

    def test_a_missing_file_is_named(self, path: Path):
        path.with_name("m.onnx.data").unlink()
        assert refusal(path) == f"{path}: external data file 'm.onnx.data' of weight 'w' is missing"

    def test_a_truncated_file_is_named(self, path: Path):
        os.truncate(path.with_name("m.onnx.data"), 4000)
        assert refusal(path) == (
            f"{path}: weight 'w' needs bytes 0..4800 of 'm.onnx.data', which has only 4000; the file is truncated"
        )

    def test_an_entry_of_another_size_is_refused(self, path: Path):
        proto = onnx.load(path, load_external_data=False)
        (entry,) = (e for t in proto.graph.initializer for e in t.external_data if e.key == "length")
        entry.value = "400"
        path.write_bytes(proto.SerializeToString())
        assert refusal(path) == f"{path}: weight 'w' takes 4800 bytes, but its entry says 400"

    def test_an_attribute_outside_the_folder_is_refused(self, tmp_path: Path):
        path = tmp_path / "m.onnx"
        proto = model_files.to_proto(classifier())
        constant = next(node for node in proto.graph.node if node.op_type == "Constant").attribute[0].t
        constant.data_location = constant.EXTERNAL
        constant.external_data.add(key="location", value="../secret")
        path.write_bytes(proto.SerializeToString())
        assert "refers to '../secret', outside the model's folder" in refusal(path)


class TestExternalAttributes:
    """`onnx.save_model(..., convert_attribute=True)` moves the tensors of Constant nodes out of the file too."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        constant = "Constant<value = float[4] {1, 2, 3, 4}>()"
        proto = onnx.parser.parse_model(
            f"""<ir_version: 9, opset_import: ["" : 17, "own" : 1]>
            agraph (bool c, float[4] x) => (float[4] y) {{
                a = {constant} s = Add(x, a) f = own.plus(s)
                y = If(c) <then_branch = t () => (float[4] p) {{ b = {constant} p = Add(f, b) }},
                           else_branch = e () => (float[4] q) {{ q = Identity(f) }}>
            }}
            <domain: "own", opset_import: ["" : 17]> plus (u) => (v) {{ k = {constant} v = Add(u, k) }}"""
        )
        for tensor in tensors(proto):  # the parser's are not raw, and only raw ones are moved
            tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor)))
        onnx.save_model(
            proto,
            folder / "m.onnx",
            save_as_external_data=True,
            location="weights",
            size_threshold=0,
            convert_attribute=True,
        )
        assert (folder / "weights").stat().st_size >= 32
        return folder / "m.onnx"

    def test_a_copy_elsewhere_is_complete(self, path: Path):
        loaded = model_files.load(path)
        (path.parent / "weights").unlink()
        (copy,) = model_files.save(loaded, path.parent.parent / "copy.onnx")
        fed = {"c": np.array(True), "x": np.zeros(4, np.float32)}
        assert Session(copy, threads=1).run(fed)["y"].tolist() == [3, 6, 9, 12]
        assert Session(loaded, threads=1).run(fed)["y"].tolist() == [3, 6, 9, 12]

    def test_a_truncated_file_is_named(self, path: Path):
        os.truncate(path.parent / "weights", 7)
        assert refusal(path).endswith("of 'weights', which has only 7; the file is truncated")


class TestAtomicWriting:
    @pytest.mark.parametrize("external", [False, True], ids=["inline", "external"])
    def test_a_full_disk_leaves_the_old_model(self, tmp_path: Path, monkeypatch, external: bool):
        path = tmp_path / "m.onnx"
        path.write_bytes(b"old")

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(ir, "save", full)
        monkeypatch.setattr(streaming, "write", full)
        with pytest.raises(OnnxpressError) as caught:
            model_files.save(dense(), path, external_data=external)
        assert str(caught.value) == f"cannot write in {tmp_path}: No space left on device"
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["m.onnx"]

    def test_the_limit_of_a_file_leaves_the_old_model(self, tmp_path: Path):
        """The operating system itself refuses the write here: no byte above the limit reaches the disk."""
        script = f"""
            import resource, signal
            from pathlib import Path
            import numpy as np
            from onnxpress import model_files
            from onnxpress.errors import OnnxpressError
            from onnxpress.testing import model

            big = model("agraph (float[N,4096] x, float[4096,64] w) => (float[N,64] y) {{ y = MatMul(x, w) }}",
                        w=np.ones((4096, 64), np.float32))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            for external in (False, True):
                try:
                    model_files.save(big, Path({str(tmp_path / "m.onnx")!r}), external_data=external)
                except OnnxpressError as error:
                    print(error)
        """
        (tmp_path / "m.onnx").write_bytes(b"old")
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [
            f"cannot write in {tmp_path}: 262144 requested and 24974 written; the disk may be full",
            f"cannot write in {tmp_path}: 262144 requested and 25000 written; the disk may be full",
        ]
        assert (tmp_path / "m.onnx").read_bytes() == b"old"
        assert names(tmp_path) == ["m.onnx"]

    def test_a_folder_is_not_overwritten(self, tmp_path: Path):
        (tmp_path / "models").mkdir()
        with pytest.raises(OnnxpressError, match="'models' is a folder; name a file in it"):
            model_files.save(dense(), tmp_path / "models")
        assert names(tmp_path) == ["models"]


class TestBeyondTwoGigabytes:
    """A sparse file of 2.2 GB: every step must leave the weights on disk."""

    SCRIPT = """
        import resource
        from pathlib import Path
        import numpy as np
        import onnx_ir as ir
        from onnxpress import model_files
        from onnxpress.runtime import Session
        from onnxpress.verify import verify

        folder = Path({folder!r})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        model = model_files.load(folder / "big.onnx")
        verify(model)
        assert model_files.size(model) == {size}
        assert model_files.file_size(model) > {size}
        skeleton = model.clone()
        assert [type(v.const_value) for v in skeleton.graph.initializers.values()] == [ir.ExternalTensor]
        rows = Session(model, threads=1, outputs=["y"]).run({{"x": np.array([1, 7])}})["y"]
        assert rows.shape == (2, 1000)
        if {save}:
            files = model_files.save(model, folder / "copy" / "big.onnx")
            assert files[1].stat().st_size == {size}
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """

    @pytest.mark.parametrize("save", [False, pytest.param(True, marks=pytest.mark.long)], ids=["run", "run-and-save"])
    def test_every_step_leaves_the_weights_on_disk(self, tmp_path: Path, save: bool):
        rows = 550_000
        proto = onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["" : 17]> '
            "agraph (int64[N] x) => (float[N,1000] y) { y = Gather(table, x) }"
        )
        table = proto.graph.initializer.add(name="table", data_type=onnx.TensorProto.FLOAT, dims=[rows, 1000])
        table.data_location = table.EXTERNAL
        table.external_data.add(key="location", value="big.data")
        (tmp_path / "big.onnx").write_bytes(proto.SerializeToString())
        (tmp_path / "big.data").touch()
        os.truncate(tmp_path / "big.data", rows * 4000)
        script = textwrap.dedent(self.SCRIPT.format(folder=str(tmp_path), size=rows * 4000, save=save))
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for copied in tmp_path.glob("copy/*"):
            copied.unlink()
        assert int(done.stdout) < 200_000, "kilobytes of memory for a model of 2.2 GB on disk"

    def test_such_a_model_needs_external_data(self, tmp_path: Path, monkeypatch):
        monkeypatch.setattr(model_files, "PROTOBUF_LIMIT", 4000)
        with pytest.raises(InvalidModel) as caught:
            model_files.save(dense(), tmp_path / "m.onnx", external_data=False)
        assert str(caught.value) == (
            f"{tmp_path / 'm.onnx'} would hold 4,816 bytes of weights; over 2 GB needs external data"
        )
        assert model_files.save(dense(), tmp_path / "m.onnx") == [tmp_path / "m.onnx", tmp_path / "m.onnx.data"]
