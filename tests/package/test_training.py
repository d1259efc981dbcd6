"""The training loop, against one written out, and against its own promises."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlbook import data, models, runtime, training
from dlbook.models.mlp import MLP
from dlbook.recipes import AdamW, CrossEntropy, Recipe
from dlbook.training import Feed

RECIPE = Recipe(
    epochs=3,
    batch_size=32,
    peak_learning_rate=1e-2,
    loss=CrossEntropy(label_smoothing=0.1),
    validation_loss=CrossEntropy(),
)
SIZES = (16, 8, 2)


@pytest.fixture
def standardize(two_classes):
    return data.standardize(two_classes)


@pytest.fixture
def feed(two_classes, standardize):
    return Feed(two_classes, two_classes, standardize)


def losses_of_a_plain_loop(model, feed, recipe, seed):
    """Train as the first chapter does by hand, with nothing but PyTorch; return the loss of every step."""
    generator = runtime.seed_everything(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.peak_learning_rate, weight_decay=0.05)
    total = recipe.steps(len(feed.train))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.peak_learning_rate, total_steps=total)
    losses = []
    model.train()
    for _ in range(recipe.epochs):
        for indices in torch.randperm(len(feed.train), generator=generator).split(recipe.batch_size):
            logits = model(feed.transform(feed.train.images[indices]))
            loss = F.cross_entropy(logits, feed.train.labels[indices], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return losses


def test_fit_and_a_loop_written_out_give_the_same_losses(feed):
    first = MLP(SIZES)
    second = copy.deepcopy(first)
    recipe = dataclasses.replace(RECIPE, optimizer=AdamW(weight_decay=0.05))
    losses = losses_of_a_plain_loop(first, feed, recipe, seed=5)
    history = training.fit(second, feed, recipe, seed=5)
    assert len(losses) == recipe.steps(len(feed.train)) == 21
    assert losses == pytest.approx(history.step_losses, abs=1e-6)


def learning_rates(recipe, steps=100):
    """Return the learning rate of each step."""
    optimizer, schedule = training.make_optimizer(MLP(SIZES).parameters(), recipe, steps)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        if len(rates) < steps:
            schedule.step()
    return rates


def test_the_learning_rate_rises_to_its_peak_and_falls_to_almost_nothing():
    rates = learning_rates(RECIPE)
    assert rates[0] == pytest.approx(RECIPE.peak_learning_rate / 25)
    assert rates.index(max(rates)) == 29
    assert max(rates) == pytest.approx(RECIPE.peak_learning_rate)
    assert rates[-1] < RECIPE.peak_learning_rate / 1e5


def test_a_seed_fixes_the_outcome(feed):
    def run(seed):
        (run,) = training.fit_seeds(lambda: MLP(SIZES), feed, RECIPE, [seed])
        return run[1].step_losses

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_training_learns(feed):
    model = MLP(SIZES)
    recipe = dataclasses.replace(RECIPE, epochs=10)
    training.fit(model, feed, recipe)
    assert training.evaluate(model, feed.validation, feed.transform).accuracy == 1.0


def test_the_best_epoch_is_kept(two_classes, standardize):
    """Validation labels that are noise go up and down; the top must survive to the end."""
    noise = torch.randint(0, 2, (200,), generator=torch.Generator().manual_seed(0))
    validation = dataclasses.replace(two_classes, labels=noise)
    train = data.Split(
        torch.randint(0, 255, (200, 1, 4, 4), generator=torch.Generator().manual_seed(1)).byte(),
        noise,
        two_classes.classes,
    )
    recipe = Recipe(epochs=8, batch_size=10, peak_learning_rate=0.1)
    runtime.seed_everything(0)
    model = MLP(SIZES)
    history = training.fit(model, Feed(train, validation, standardize), recipe, seed=1)
    assert history.validation_score[-1] < max(history.validation_score)
    kept = training.evaluate(model, validation, standardize).accuracy
    assert kept == max(history.validation_score)
    assert not model.training


def test_history_has_an_entry_an_epoch(feed):
    history = training.fit(MLP(SIZES), feed, RECIPE)
    for entries in (history.train_loss, history.validation_loss, history.validation_score):
        assert len(entries) == 3
    assert history.seconds == sorted(history.seconds)
    assert history.train_loss[0] == pytest.approx(sum(history.step_losses[:7]) / 7)


def test_the_validation_loss_is_the_recipes(two_classes, feed):
    """Smoothed labels are for training: the cross-entropy without is reported where it is asked for."""
    smoothed = dataclasses.replace(RECIPE, epochs=1, validation_loss=None)
    model = MLP(SIZES)
    plain, with_smoothing = (
        training.fit(copy.deepcopy(model), feed, recipe).validation_loss[0]
        for recipe in (dataclasses.replace(RECIPE, epochs=1), smoothed)
    )
    training.fit(model, feed, smoothed)
    logits, labels = model(feed.transform(two_classes.images)), two_classes.labels
    assert plain == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert with_smoothing == pytest.approx(
        F.cross_entropy(logits, labels, label_smoothing=0.1).item(), rel=1e-5
    )


def test_the_score_chooses_the_epoch_that_is_kept(feed):
    """A score that likes the second epoch best keeps its weights, however the loss goes on to fall."""
    weights = []

    def likes_the_second(logits, images, labels):
        weights.append(models.copy_weights(model))
        return -abs(len(weights) - 2)

    model = MLP(SIZES)
    history = training.fit(model, feed, dataclasses.replace(RECIPE, score=likes_the_second))
    assert history.validation_score == [-1, 0, -1]
    assert history.best_epoch == 1
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, weights[1][name], rtol=0, atol=0)


def test_any_optimizer_of_parameters_and_a_learning_rate_will_do(feed):
    """Adam without decay, by PyTorch's own class and by ours."""
    ours, theirs = MLP(SIZES), MLP(SIZES)
    theirs.load_state_dict(ours.state_dict())
    losses = [
        training.fit(model, feed, dataclasses.replace(RECIPE, optimizer=optimizer)).step_losses
        for model, optimizer in ((ours, AdamW(weight_decay=0)), (theirs, torch.optim.Adam))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_recipe_says_what_it_is_made_of():
    shown = repr(dataclasses.replace(RECIPE, optimizer=AdamW(weight_decay=0.05)))
    assert "AdamW(weight_decay=0.05)" in shown
    assert "CrossEntropy(label_smoothing=0.1)" in shown


def test_a_loss_of_nan_stops_training_and_names_the_step(two_classes):
    calls = 0

    def poison_the_fifth_batch(images):
        nonlocal calls
        calls += 1
        return images.float() / 255 + (float("nan") if calls == 5 else 0)

    with pytest.raises(training.DivergedError, match="nan at step 5"):
        training.fit(MLP(SIZES), Feed(two_classes, two_classes, poison_the_fifth_batch), RECIPE)


def test_frozen_models_are_refused(feed):
    model = MLP(SIZES).requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        training.fit(model, feed, RECIPE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"peak_learning_rate": 0},
        {"schedule": "cosine"},
    ],
)
def test_an_impossible_recipe_is_refused(wrong):
    with pytest.raises(ValueError, match="Recipe"):
        dataclasses.replace(RECIPE, **wrong)


@pytest.mark.parametrize("mode", [True, False])
def test_evaluation_switches_dropout_off_and_restores_the_mode(two_classes, standardize, mode):
    model = MLP(SIZES, dropout=0.5).train(mode)
    first = training.evaluate(model, two_classes, standardize)
    second = training.evaluate(model, two_classes, standardize)
    assert torch.equal(first.logits, second.logits)
    assert model.training is mode


def test_evaluation_agrees_with_torch(two_classes, standardize):
    model = MLP(SIZES)
    evaluation = training.evaluate(model, two_classes, standardize)
    logits = model.eval()(standardize(two_classes.images))
    assert evaluation.loss == pytest.approx(F.cross_entropy(logits, two_classes.labels).item())
    assert torch.equal(evaluation.predictions, logits.argmax(1))


def test_progress_shows_in_a_terminal(feed, capsys, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    training.fit(MLP(SIZES), feed, RECIPE, seed=4)
    assert "seed 4" in capsys.readouterr().err


def test_without_the_cycle_the_learning_rate_stays():
    rates = learning_rates(dataclasses.replace(RECIPE, schedule="constant"))
    assert set(rates) == {RECIPE.peak_learning_rate}


def test_a_linear_schedule_falls_by_the_same_amount_each_step():
    rates = learning_rates(dataclasses.replace(RECIPE, schedule="linear"), steps=4)
    assert rates == pytest.approx([share * RECIPE.peak_learning_rate for share in (1, 0.75, 0.5, 0.25)])


def test_only_training_images_are_augmented(two_classes):
    """A mark on every augmented image shows which images the transform was given."""
    marked = []

    def augment(images, generator):
        return images.clone().index_fill_(2, torch.tensor([0]), 255)

    def transform(images):
        marked.append((images[:, :, 0] == 255).all().item())
        return images.float() / 255

    recipe = dataclasses.replace(RECIPE, epochs=1)
    training.fit(MLP(SIZES), Feed(two_classes, two_classes, transform, augment), recipe)
    assert marked == [True] * 7 + [False]


def test_augmentation_draws_from_the_seed(feed):
    def losses(seed, augment):
        runtime.seed_everything(0)
        model = MLP(SIZES, dropout=0)
        augmented = dataclasses.replace(feed, augment=augment)
        return training.fit(model, augmented, RECIPE, seed).step_losses

    crop = data.crop_and_flip(padding=2)
    assert losses(1, crop) == losses(1, crop)
    assert losses(1, crop) != losses(2, crop)
    assert losses(1, crop) != losses(1, None)


def test_bfloat16_is_used_where_the_device_has_it(feed, monkeypatch):
    seen = []

    def dtype_of_the_first_product(has_it, wanted):
        monkeypatch.setattr(runtime, "has_bfloat16", lambda device: has_it)
        model = MLP(SIZES)
        hook = model.layers[1].register_forward_hook(
            lambda layer, inputs, output: seen.append(output.dtype) if layer.training else None
        )
        recipe = dataclasses.replace(RECIPE, epochs=1, bfloat16=wanted)
        training.fit(model, feed, recipe)
        hook.remove()
        assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
        return seen[-1]

    assert dtype_of_the_first_product(has_it=True, wanted=True) == torch.bfloat16
    assert dtype_of_the_first_product(has_it=True, wanted=False) == torch.float32
    assert dtype_of_the_first_product(has_it=False, wanted=True) == torch.float32


@pytest.mark.parametrize(("side", "count", "sizes"), [(28, 1500, [1000, 500]), (64, 300, [250, 50])])
def test_large_images_are_evaluated_in_smaller_batches(side, count, sizes):
    model, seen = nn.Flatten(), []
    model.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    images = torch.zeros(count, 1, side, side, dtype=torch.uint8)
    split = data.Split(images, torch.zeros(count, dtype=torch.int64), ("a", "b"))
    assert training.outputs(nn.Sequential(nn.Linear(side, 1), model), split, torch.Tensor.float).any()
    assert seen == sizes
