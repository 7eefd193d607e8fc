"""All targets, by name."""

from __future__ import annotations

from tests.fuzz import (
    targets_guests,
    targets_images,
    targets_loader,
    targets_modules,
    targets_state,
    targets_texts,
    targets_trees,
)

TARGETS = {
    target.name: target
    for target in (
        *targets_modules.TARGETS,
        *targets_loader.TARGETS,
        *targets_state.TARGETS,
        *targets_trees.TARGETS,
        *targets_images.TARGETS,
        *targets_texts.TARGETS,
        *targets_guests.TARGETS,
    )
}
