"""One module per command of `ibc`: `add_parser`, and functions that import when they run."""

from ibc_bringup.commands import (
    bags,
    bench,
    calibrate,
    demo,
    doctor,
    evaluate,
    generate,
    loop,
    models,
    study,
    train,
    twin,
    up,
)

ALL = (
    demo, loop, up, train, evaluate, generate, bags, models, study, twin, bench, calibrate, doctor,
)  # fmt: skip
