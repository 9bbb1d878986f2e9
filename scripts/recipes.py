"""What the networks that ship are trained on and how, stage by stage; train_builtin.py trains them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vidstyle.training.adain_settings import AdaInLossWeights, AdaInSettings
from vidstyle.training.settings import FeedforwardSettings, LossWeights

PUBLIC_DOMAIN = "public domain"
OWN = "made by this project's own program, CC0"


FIRST = FeedforwardSettings(weights=LossWeights(lattice=0.0))
#: A style that goes on from a trained one shows its own strokes in about half of the steps.
WARM = FeedforwardSettings(steps=1200, weights=LossWeights(temporal=15.0, lattice=0.0))
#: Takes away the pattern that the stages before leave on gradients.
FINISH = FeedforwardSettings(steps=240, learning_rate=8e-4, weights=LossWeights(temporal=20.0))
#: The same once more, on photos for research, too.
BROADEN = FINISH
#: The last: what ships went through all before without skips, which this one taught to carry outlines. A recipe run
#: from scratch trains skips in every stage.
OUTLINES = replace(FINISH, steps=500, learning_rate=1.5e-3, weights=LossWeights())
#: For styles that would follow shifts less well than the others.
STEADY_OUTLINES = replace(OUTLINES, weights=FINISH.weights)
#: For one that had little asked of steadiness before.
FREE_OUTLINES = replace(OUTLINES, weights=LossWeights(temporal=8.0))
TEACH_SKIPS = (OUTLINES, STEADY_OUTLINES, FREE_OUTLINES)


@dataclass(frozen=True)
class Recipe:
    """One shipped style.

    ``picture`` is a file under ``paintings/``, or a painter of ``vidstyle.evaluation.painted``. Each stage goes on from
    the network of the one before; the first from that of ``starts_from``'s first stage, or from scratch. The last
    ``num_broadened`` are on all photos, because a network trained on open ones alone does worse on others
    (scripts/compare_content.py: mosaic by 12 %).
    """

    name: str
    title: str
    picture: str
    source: str
    licence: str
    stages: tuple[FeedforwardSettings, ...]
    starts_from: str | None = None
    num_broadened: int = 2


RECIPES = [
    Recipe(
        "starry-night",
        "Swirling blue and yellow strokes, after Vincent van Gogh's The Starry Night",
        "starry_night.jpg",
        "Vincent van Gogh, The Starry Night, 1889",
        PUBLIC_DOMAIN,
        (
            FIRST,
            FeedforwardSettings(steps=450, learning_rate=8e-4, weights=LossWeights(temporal=40.0, lattice=0.0)),
            FINISH,
            BROADEN,
            STEADY_OUTLINES,
        ),
    ),
    Recipe(
        "mosaic",
        "Small glazed tiles with grout between them",
        "mosaic",
        "mosaic, painted by vidstyle.evaluation.painted",
        OWN,
        (FIRST, FINISH, BROADEN, STEADY_OUTLINES),
    ),
    Recipe(
        "oil-strokes",
        "Thick oil paint in warm and cool strokes that follow the forms",
        "oil_strokes",
        "oil_strokes, painted by vidstyle.evaluation.painted",
        OWN,
        (replace(WARM, steps=1500), FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "great-wave",
        "Prussian blue and cream with crisp outlines, after Hokusai's The Great Wave off Kanagawa",
        "great_wave.jpg",
        "Katsushika Hokusai, The Great Wave off Kanagawa, about 1831",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "stained-glass",
        "Glowing panes of coloured glass held by dark lead",
        "stained_glass",
        "stained_glass, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "the-scream",
        "Long flowing bands of orange, blue and brown, after Edvard Munch's The Scream",
        "the_scream.jpg",
        "Edvard Munch, The Scream, 1893",
        PUBLIC_DOMAIN,
        # 3.6 kept more of its strokes; in the last stage, too, it was 2.3 times as steady over five frames as without
        # temporal loss, instead of 3 times (scripts/measure_stability.py).
        (WARM, replace(FINISH, steps=720, weights=LossWeights(temporal=3.6)), FREE_OUTLINES),
        starts_from="starry-night",
        num_broadened=1,
    ),
    Recipe(
        "ink-hatching",
        "Fine pen hatching over grey and sienna washes",
        "ink_hatching",
        "ink_hatching, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN, STEADY_OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "composition-vii",
        "Sweeping colour shapes and black lines, after Wassily Kandinsky's Composition VII",
        "composition_vii.jpg",
        "Wassily Kandinsky, Composition VII, 1913",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "watercolour",
        "Soft blooms of pigment on paper",
        "watercolour",
        "watercolour, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "udnie",
        "Cool grey facets with black, orange and green, after Francis Picabia's Udnie",
        "udnie.jpg",
        "Francis Picabia, Udnie (Young American Girl, The Dance), 1913",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "pointillism",
        "Dots of pure colour that mix in the eye",
        "pointillism",
        "pointillism, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN, OUTLINES),
        starts_from="starry-night",
    ),
    Recipe(
        "water-lilies",
        "Violet, green and rose dabs of oil, after Claude Monet's Water Lilies",
        "water_lilies.jpg",
        "Claude Monet, Water Lilies, 1916-1919",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN, STEADY_OUTLINES),
        starts_from="starry-night",
    ),
]


#: Styles whose networks are trained once more without temporal loss, to measure what it is good for.
WITHOUT_TEMPORAL_LOSS = ("stained-glass", "the-scream", "great-wave", "watercolour", "mosaic")


@dataclass(frozen=True)
class AnyStyleStage:
    """One stage of the arbitrary-style model; it goes on from the one before.

    Attributes:
        settings: of the training.
        decoder_from: shipped style that the decoder begins as.
        starts_from_mean_of: begins as the mean of so many stages' weights before it, each of which ended its cosine
            elsewhere in one valley (Izmailov et al. 2018, sec. 3.2), and ``FURTHER_ON`` from what was before them.
        share_of_before: how much of the weights it begins with is mixed into what is kept of it.
    """

    settings: AdaInSettings
    decoder_from: str | None = None
    starts_from_mean_of: int = 0
    share_of_before: float = 0.0


#: Most of the style loss on the output at full size, and less asked of steadiness.
FINE_STROKES = AdaInSettings(
    steps=1600,
    learning_rate=1e-3,
    halved_share=0.15,
    weights=AdaInLossWeights(content=1.35, style=30.0, temporal=0.7, shift=0.0, lattice=80.0, distillation=0.0),
)


def large_crops(
    *,
    steps: int,
    content_weight: float,
    temporal_weight: float = FINE_STROKES.weights.temporal,
    shift_weight: float = 0.0,
    halved_share: float = 0.0,
    learning_rate: float = 1.2e-3,
    seed: int = 0,
) -> AdaInSettings:
    """Fine strokes in larger crops, whose statistics are nearer to those of whole pictures."""
    return replace(
        FINE_STROKES,
        steps=steps,
        learning_rate=learning_rate,
        batch_size=3,
        crop_px=256,
        halved_share=halved_share,
        seed=seed,
        weights=replace(FINE_STROKES.weights, content=content_weight, temporal=temporal_weight, shift=shift_weight),
    )


#: The student alone; the decoder; the decoder with more weight on the style, and on all photos, as the styles; the
#: decoder, three times, with less asked of steadiness and more of fine strokes, which were a fifth of a deviation too
#: faint; the same, three times, in larger crops; slowly on from the mean of these three; with much asked of steadiness,
#: with less, and slowly with more asked of content, part of the way back; three times with more asked of steadiness;
#: twice with strokes asked to follow shifts. What ships went through the first ten with a decoder that was not
#: low-passed, through the three after them with one that painted at half the size, through all of these with an encoder
#: that pooled by averages, and through the first sixteen with one block more in its trunk (docs/training.md).
ANY_STYLE_STAGES = (
    AnyStyleStage(
        AdaInSettings(
            steps=3000,
            crop_px=224,
            weights=AdaInLossWeights(content=0.0, style=0.0, total_variation=0.0, temporal=0.0, shift=0.0, lattice=0.0),
        )
    ),
    AnyStyleStage(
        AdaInSettings(steps=1900, weights=AdaInLossWeights(shift=0.0, distillation=0.0)), decoder_from="starry-night"
    ),
    AnyStyleStage(
        AdaInSettings(steps=3000, weights=AdaInLossWeights(style=30.0, shift=0.0, lattice=80.0, distillation=0.0)),
    ),
    AnyStyleStage(
        AdaInSettings(
            steps=2600,
            learning_rate=1.5e-3,
            halved_share=0.25,
            weights=AdaInLossWeights(content=1.2, style=30.0, temporal=1.5, shift=0.0, lattice=80.0, distillation=0.0),
        ),
    ),
    AnyStyleStage(FINE_STROKES),
    AnyStyleStage(replace(FINE_STROKES, steps=3600, learning_rate=1.5e-3)),
    AnyStyleStage(large_crops(steps=3600, content_weight=1.4)),
    AnyStyleStage(large_crops(steps=2400, content_weight=1.38, seed=1)),
    AnyStyleStage(large_crops(steps=450, content_weight=1.24, seed=2)),
    AnyStyleStage(
        large_crops(steps=700, content_weight=1.2, learning_rate=6e-4, seed=3),
        starts_from_mean_of=3,
    ),
    AnyStyleStage(
        large_crops(steps=1600, content_weight=0.9, temporal_weight=10.0, learning_rate=1.5e-3, seed=5),
    ),
    AnyStyleStage(
        large_crops(steps=5400, content_weight=1.28, temporal_weight=3.0, learning_rate=1.5e-3, seed=6),
    ),
    AnyStyleStage(
        large_crops(steps=500, content_weight=1.75, learning_rate=6e-4, seed=7),
        share_of_before=0.4,
    ),
    AnyStyleStage(
        large_crops(steps=1500, content_weight=1.25, temporal_weight=4.0, learning_rate=1.5e-3, seed=8),
    ),
    AnyStyleStage(
        large_crops(steps=1850, content_weight=1.2, temporal_weight=8.0, halved_share=0.1, seed=9),
    ),
    AnyStyleStage(
        large_crops(steps=220, content_weight=1.6, temporal_weight=8.0, halved_share=0.1, learning_rate=6e-4, seed=10),
    ),
    AnyStyleStage(
        large_crops(steps=2800, content_weight=1.3, temporal_weight=6.0, shift_weight=6.0, halved_share=0.1, seed=11),
    ),
    AnyStyleStage(
        large_crops(
            steps=450,
            content_weight=1.2,
            temporal_weight=6.0,
            shift_weight=12.0,
            halved_share=0.1,
            learning_rate=6e-4,
            seed=12,
        ),
    ),
)
#: So many of the last are on all photos, as a recipe's ``num_broadened``.
ANY_STYLE_NUM_BROADENED = 16
#: Share of the way from the weights before some stages to the mean of theirs by which what is kept goes beyond it.
FURTHER_ON = 0.15
ANY_STYLE_TITLE = "Any picture as style, by adaptive instance normalisation"
