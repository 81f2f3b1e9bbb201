// Before and after: the photo left of a divider that is dragged, or moved by the keyboard, the painting right of it.

const STEP = 5;
const PAGE = 25;

export class Compare {
  #split = 50;

  constructor(frame, divider) {
    Object.assign(this, { frame, divider });
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      divider.focus({ preventScroll: true });
      event.preventDefault();
    });
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = frame.getBoundingClientRect();
      this.split = (100 * (event.clientX - box.left)) / box.width;
    });
    divider.addEventListener("dblclick", () => (this.split = this.split > 2 ? 0 : 50));
    divider.addEventListener("keydown", (event) => this.#key(event));
    this.split = 50;
  }

  get split() {
    return this.#split;
  }

  set split(percent) {
    this.#split = Math.min(100, Math.max(0, percent));
    this.frame.style.setProperty("--split", `${this.#split}%`);
    const whole = Math.round(this.#split);
    this.divider.setAttribute("aria-valuenow", whole);
    this.divider.setAttribute("aria-valuetext", `${whole} % photo, ${100 - whole} % painting`);
    this.frame.querySelector(".before").classList.toggle("away", this.#split < 14);
    this.frame.querySelector(".after").classList.toggle("away", this.#split > 84);
  }

  show(shown) {
    for (const part of this.frame.querySelectorAll(".divider, .tag")) part.hidden = !shown;
    this.frame.classList.toggle("whole", !shown);
  }

  #key(event) {
    const moves = {
      ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -PAGE, PageUp: PAGE,
      Home: -100, End: 100,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.split += moves[event.key];
  }
}
