// What moves sideways must be within reach of the keyboard; what fits must not stop the Tab key for nothing.
function reachable() {
  for (const box of document.querySelectorAll(".output, .formula, pre, .table-wrapper, .cell_output > p")) {
    if (box.scrollWidth > box.clientWidth + 1 && getComputedStyle(box).overflowX != "visible") box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachable);
addEventListener("resize", reachable);
