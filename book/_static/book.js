// What moves sideways must be within reach of the keyboard; what fits must not stop the Tab key for nothing.
function reachable() {
  for (const box of document.querySelectorAll(".cell_output, .output, .formula, .house, pre, .table-wrapper")) {
    if (box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX != "visible") box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachable);
addEventListener("resize", reachable);
