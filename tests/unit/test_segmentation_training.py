"""Maps of labels and several outputs: what is counted, what is trained, and what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from oracle_graph import OracleGraph
from PIL import Image

import pyhpmp
from pyhpmp import _core, data, local
from pyhpmp.commands.run import main
from pyhpmp.errors import DataError, InvalidArgumentError
from pyhpmp.graph import Graph, Params
from pyhpmp.heads import heads_note, loss_weights
from pyhpmp.records import ValueInfo
from pyhpmp.scores import Scores

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

BATCH, CLASSES, SIDE = 8, 3, 8

#: Two heads of maps, at half the resolution and enlarged again, and one of features.
TEXT = f"""hpmp-graph 1
input x 3 {SIDE} {SIDE}
param w1 weight 64 3 3 3
param b1 bias 64
param w2 weight 64 64 2 2
param w3 weight {CLASSES} 64 1 1
param b3 bias {CLASSES}
param w4 weight {CLASSES} 64 1 1
param w5 weight 4 64
node Conv c1 : x : w1 b1 : c1 kernel=3,3 pads=1,1,1,1 strides=2,2
node Relu r1 : c1 : : r1
node ConvTranspose up : r1 : w2 : up kernel=2,2 strides=2,2
node Relu r2 : up : : r2
node Conv main : r2 : w3 b3 : main
node Softmax soft : main : : soft
node Conv low : r1 : w4 : low
node Resample aux : low : : aux extent={SIDE},{SIDE} rows=0.5,1,2,-0.5 columns=0.5,1,2,-0.5 \
interpolation=linear
node GlobalAveragePool gap : r1 : : gap
node Dense cls : gap : w5 : cls
output soft
output aux
output cls
"""


def model() -> Graph:
    core = _core.Graph.parse(TEXT)
    random = np.random.default_rng(3)
    params: Params = {
        p.name: random.normal(0, 1 / np.sqrt(np.prod(p.dims[1:]) + 1), p.dims).astype(np.float32)
        for p in core.params
    }
    return Graph("two heads", core, params)


def squares(samples: int = BATCH, seed: int = 0) -> tuple[Images, Labels]:
    """Bright squares (1) and dark ones (2) on noise (0); some pixels are not labelled."""
    random = np.random.default_rng(seed)
    images = random.normal(0, 0.2, (samples, 3, SIDE, SIDE)).astype(np.float32)
    labels = np.zeros((samples, SIDE, SIDE), np.int64)
    for i in range(samples):
        for label, light in ((1, 2.0), (2, -2.0)):
            y, x = random.integers(0, SIDE - 3, 2)
            images[i, :, y : y + 4, x : x + 4] = light
            labels[i, y : y + 4, x : x + 4] = label
    labels[random.random(labels.shape) < 0.1] = -1
    labels[0, : SIDE // 2] = -1
    return images, labels


def trained(ranks: int, aux: float | None = None, **form: object) -> tuple[float, Params, Scores]:
    graph, (images, labels) = model(), squares()

    def work(rank: int) -> tuple[float, Params, Scores]:
        plan = pyhpmp.plan(graph, batch=BATCH, aux_weight=aux, seconds=1, **form)
        trainer = pyhpmp.Trainer(plan, params=graph.params, threads=1)
        return trainer.step(images, labels), trainer.engine.grads(), trainer.scores

    return local.run(ranks, work)[0]


def expected(weights: tuple[float, ...]) -> tuple[float, Params]:
    """Loss and gradients by autograd on the oracle's forward pass."""
    import torch

    oracle = OracleGraph(TEXT, model().params)
    images, labels = squares()
    values = oracle.run(images)
    loss = sum(
        weight
        * torch.nn.functional.cross_entropy(values[name], torch.from_numpy(labels), ignore_index=-1)
        for weight, name in zip(weights, ("main", "aux"), strict=True)
    )
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    grads = {n: p.grad.numpy() for n, p in oracle.params.items() if p.grad is not None}
    return float(loss.detach()), grads


@pytest.mark.parametrize(("aux", "weights"), [(None, (1.0, 0.4)), (0.0, (1.0, 0.0))])
def test_heads_of_equal_shape_add_up_to_one_weighted_loss(
    aux: float | None, weights: tuple[float, float]
) -> None:
    loss, grads, _ = trained(1, aux)
    wanted, theirs = expected(weights)
    assert loss == pytest.approx(wanted, rel=1e-5)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, theirs[name], rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("strategy", ["auto", "data", "filter", "layer", "owt"])
def test_ranks_make_the_step_of_one_rank(strategy: str) -> None:
    """Though their samples have unequal numbers of labels that count."""
    loss, grads, scores = trained(1)
    other, theirs, found = trained(4, strategy=strategy)
    assert other == pytest.approx(loss, rel=1e-6)
    assert (found.correct, found.counted) == (scores.correct, scores.counted)
    assert scores.confusion is not None
    np.testing.assert_array_equal(found.confusion, scores.confusion)
    for name, grad in grads.items():
        np.testing.assert_allclose(theirs[name], grad, rtol=1e-4, atol=1e-7, err_msg=name)


def test_scores_count_only_what_is_labelled() -> None:
    logits = np.zeros((1, 3, 1, 5), np.float32)
    for pixel, top in enumerate((0, 1, 1, 2, 2)):
        logits[0, top, 0, pixel] = 1
    scores = Scores.of_logits(logits, np.array([[[0, 1, 0, 1, -1]]]))
    assert (scores.correct, scores.counted, scores.accuracy) == (2, 4, 0.5)
    # Class 0: 1 of 2; class 1: 1 of 3; class 2: 0 of 1.
    assert scores.mean_iou == pytest.approx((1 / 2 + 1 / 3 + 0) / 3)
    both = scores + Scores.of_logits(logits, np.array([[[0, 1, 1, -1, -1]]]))
    assert both.mean_iou == pytest.approx((2 / 3 + 3 / 5 + 0) / 3)
    assert Scores().mean_iou is None


def test_the_engine_and_the_logits_give_the_same_scores() -> None:
    graph, (images, labels) = model(), squares()
    plan = pyhpmp.plan(graph, ranks=1, batch=BATCH, seconds=1)
    scores = pyhpmp.Trainer(plan, params=graph.params).scores_of(images, labels)
    logits = pyhpmp.Session(plan, params=graph.params)(images)
    found = Scores.of_logits(logits, labels)
    assert (scores.correct, scores.counted) == (found.correct, found.counted)
    assert scores.mean_iou == found.mean_iou


def test_weights_of_outputs_default_by_shape() -> None:
    outputs = model().core.outputs
    assert loss_weights(outputs, None) == (1.0, 0.4, 0.0)
    assert loss_weights(outputs, [0.5, 0.0]) == (1.0, 0.5, 0.0)
    features = [ValueInfo(n, (10, 1, 1)) for n in ("logits", "aux2", "aux1")]
    assert loss_weights(features, None) == (1.0, 0.3, 0.3)
    note = heads_note(outputs, (1.0, 0.4, 0.0))
    assert note is not None
    assert "'soft' (1), 'aux' (0.4); not trained: 'cls'" in note
    assert heads_note(outputs[:1], (1.0,)) is None


def test_weights_that_do_not_fit_are_refused() -> None:
    outputs = model().core.outputs
    with pytest.raises(InvalidArgumentError, match=r"1 weights .* the model has 2 \(aux, cls\)"):
        loss_weights(outputs, [0.5])
    with pytest.raises(InvalidArgumentError, match="-1"):
        loss_weights(outputs, -1.0)
    with pytest.raises(InvalidArgumentError, match=r"'cls' is 4x1x1 .* share their labels"):
        pyhpmp.plan(model(), ranks=1, batch=BATCH, aux_weight=0.5)


def test_a_label_that_is_no_class_is_named() -> None:
    graph, (images, labels) = model(), squares()
    plan = pyhpmp.plan(graph, ranks=1, batch=BATCH, seconds=1)
    labels[2, 0, 0] = CLASSES
    with pytest.raises(InvalidArgumentError, match=r"sample 2 has the label 3; .* 0 to 2"):
        pyhpmp.Trainer(plan, params=graph.params).step(images, labels)
    with pytest.raises(InvalidArgumentError, match="labels"):
        pyhpmp.Trainer(plan, params=graph.params).step(images, labels[:, 0, 0].copy())


def test_a_small_unet_learns_to_find_squares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from onnx_import.zoo_net import TORCH_DEFAULT, Net

    net = Net("tiny", 3, SIDE, 0)
    x = net.relu(net.conv(net.input(), "a", 8, 3, pad=1, init=TORCH_DEFAULT))
    low = net.relu(net.conv(net.pool(x, "p", 2, stride=2), "b", 16, 3, pad=1, init=TORCH_DEFAULT))
    up = net.conv_transpose(low, "up", 8, 2, init=TORCH_DEFAULT)
    joined = net.concat([x, up], "j")
    head = net.conv(joined, "head", CLASSES, 3, pad=1, bias=True, init=TORCH_DEFAULT)
    path, file = tmp_path / "tiny.onnx", tmp_path / "squares.npz"
    path.write_bytes(net.finish(head).SerializeToString())
    (x_train, y_train), (x_test, y_test) = squares(64), squares(16, seed=1)
    y_train[y_train == -1] = 9
    np.savez(file, x=x_train, y=y_train, x_test=x_test, y_test=y_test)
    words = [str(path), "--data", f"npz:{file}", "--ignore-index", "9", "--batch", "16"]
    words += ["--epochs", "15", "--lr", "0.1", "--save", str(tmp_path / "out.onnx"), "-q"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    accuracy, iou = (
        float(part.split("%")[0])
        for part in (shown.split("test accuracy ")[1], shown.split("mean IoU ")[1])
    )
    assert accuracy > 90
    assert iou > 75
    assert main([str(tmp_path / "out.onnx"), "--infer", *words[1:7], "-q"]) == 0
    assert f"mean IoU {iou:.1f}%" in capsys.readouterr().out


def write_folder(path: Path, names: tuple[str, ...], size: int = 12) -> None:
    for kind in ("images", "masks"):
        (path / kind).mkdir(parents=True)
    for i, name in enumerate(names):
        colours = np.full((size, size, 3), 40 * i, np.uint8)
        mask = np.zeros((size, size), np.uint8)
        mask[: size // 2] = 1
        mask[-1] = 255
        Image.fromarray(colours).save(path / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(path / "masks" / f"{name}.png")


def opened(path: Path) -> data.Dataset:
    return data.load(f"folder:{path}", (3, 6, 6), CLASSES, pixels=(6, 6))


def test_a_folder_of_images_and_masks_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", ("a", "b", "c"))
    write_folder(tmp_path / "test", ("d",))
    found = opened(tmp_path)
    assert found.test is not None
    assert (len(found.train), len(found.test), found.classes) == (3, 1, 2)
    images, labels = found.batch(found.train, np.arange(3))
    assert images.shape == (3, 3, 6, 6)
    assert images.dtype == np.float32
    assert labels.tolist() == [[[1] * 6] * 3 + [[0] * 6] * 2 + [[-1] * 6]] * 3
    with data.Feed(found, 2) as feed:
        ((_, padded),) = feed.batches(found.test, data.in_order(1, 2))
    assert (padded[1] == -1).all()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        opened(tmp_path)
    write_folder(tmp_path, ("a", "b"))
    (tmp_path / "masks" / "b.png").unlink()
    with pytest.raises(DataError, match="no mask for 'b'"):
        opened(tmp_path)
    (tmp_path / "masks" / "b.png").write_text("no image")
    with pytest.raises(DataError, match=r"b[.]png: cannot be read"):
        opened(tmp_path)
    with pytest.raises(DataError, match="the model labels images"):
        data.load(f"folder:{tmp_path}", (3, 6, 6), CLASSES)


def test_labels_of_another_size_are_taken_at_the_nearest_pixel() -> None:
    target = data.Target((2, 3), ignore=7)
    raw = np.arange(24, dtype=np.uint8).reshape(1, 4, 6)
    assert target(raw).tolist() == [[[-1, 9, 11], [19, 21, 23]]]
    same = data.Target((4, 6))(raw)
    np.testing.assert_array_equal(same, raw)
