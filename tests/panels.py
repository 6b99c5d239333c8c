"""What the tests of panels share: finding their parts, pressing their buttons, waiting."""

import time

import ipywidgets as widgets

PATIENCE = 60  # seconds to wait for what must happen; nothing is measured


def parts(panel, kind):
    found = [panel] if isinstance(panel, kind) else []
    for child in getattr(panel, "children", ()):
        found += parts(child, kind)
    return found


def control(panel, name):
    return next(w for w in parts(panel, widgets.Widget) if getattr(w, "description", "") == name)


def words(panel):
    return " ".join(w.value for w in parts(panel, widgets.HTML))


def pressable(panel):
    return {b.description for b in parts(panel, widgets.Button) if not b.disabled}


def press(panel, name):
    assert name in pressable(panel)
    control(panel, name).click()


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)
