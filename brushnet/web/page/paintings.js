// The paintings to choose from: those of all models, each with a photo painted like it, and mixtures within a model.
import { element, fill } from "./elements.js";

const MOST_MIXED = 24; // more sliders are no help

export class Paintings extends EventTarget {
  constructor(models, { list, mixing, weights }) {
    super();
    Object.assign(this, { models, list, mixing, sliders: weights });
    models.forEach((model) => model.styles.forEach((style, index) => list.append(this.#card(model, style, index))));
    list.querySelector("input").checked = true;
    this.#choose(models[0], 0);
  }

  get title() {
    const mixed = this.weights.filter(Boolean).length > 1;
    return mixed ? "a mixture" : this.model.styles[this.weights.indexOf(Math.max(...this.weights))].title;
  }

  #card(model, style, index) {
    const input = element("input", { type: "radio", name: "painting", value: `${model.name}/${style.name}` });
    input.addEventListener("change", () => {
      this.#choose(model, index);
      this.dispatchEvent(new Event("change"));
    });
    const picture = style.thumb
      ? element("img", { src: style.thumb, alt: "", loading: "lazy", decoding: "async" })
      : element("span", { class: "plain" });
    const name = element("span", { class: "name" }, style.title);
    if (model.styles.length > 1) name.append(element("small", {}, `of ${model.title}`));
    return element("label", {}, input, picture, name);
  }

  #choose(model, index) {
    const isOther = this.model !== model;
    this.model = model;
    this.weights = Float32Array.from(model.styles, (_, at) => Number(at === index));
    this.mixing.hidden = model.styles.length < 2 || model.styles.length > MOST_MIXED;
    if (isOther) this.#offerMixing();
    this.#showWeights();
  }

  #offerMixing() {
    const row = (style, at) => {
      const id = `weight-${at}`;
      const input = element("input", { type: "range", id, min: 0, max: 100, step: 1 });
      input.addEventListener("input", () => this.#mix());
      const output = element("output", { for: id });
      return element("div", { class: "slider" }, element("label", { for: id, title: style.title }, style.title), input, output);
    };
    this.sliders.replaceChildren(...this.model.styles.map(row));
  }

  #showWeights() {
    [...this.sliders.children].forEach((row, at) => {
      const input = row.querySelector("input");
      if (document.activeElement !== input) input.value = 100 * this.weights[at];
      fill(input);
      row.querySelector("output").textContent = `${Math.round(100 * this.weights[at])} %`;
    });
  }

  // Weights are shares of the sum; where all are at 0 the last mixture stays.
  #mix() {
    const parts = [...this.sliders.querySelectorAll("input")].map((input) => Number(input.value));
    const sum = parts.reduce((total, part) => total + part, 0);
    if (sum > 0) this.weights = Float32Array.from(parts, (part) => part / sum);
    for (const card of this.list.querySelectorAll("input:checked")) card.checked = this.weights.filter(Boolean).length < 2;
    [...this.sliders.children].forEach((row, at) => {
      fill(row.querySelector("input"));
      row.querySelector("output").textContent = `${Math.round(100 * this.weights[at])} %`;
    });
    this.dispatchEvent(new Event("change"));
  }
}
