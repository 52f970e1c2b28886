/** The form behind "Compile…": what to compile, for what, how; below it the line that it stands for. */
import { Widget } from "@lumino/widgets";
import { CALIBRATED, type CompileChoice, compileLine } from "./code.ts";
import { element, setText } from "./dom.ts";
import type { Choice, Choices } from "./wire.ts";

const AS_IT_IS: Choice = { name: "", about: "as the model says" };

export class CompileForm extends Widget {
  readonly #backend: string;
  readonly #model = field("model", "the variable that holds the model, or a model file");
  readonly #input = field("x", "a variable with an example input; leave empty if the model says its shapes");
  readonly #target: HTMLSelectElement;
  readonly #dtype: HTMLSelectElement;
  readonly #calibrate = field("", "a variable with typical inputs in many rows, or a list of examples");
  readonly #calibration = labelled("Calibration inputs", this.#calibrate);
  readonly #line = element("code", { class: "neo-preview" });

  constructor({ targets, dtypes }: Choices, backend: string) {
    super({ node: element("div", { class: "neo-form neo-accents" }) });
    this.#backend = backend;
    this.#target = select(targets);
    this.#dtype = select([AS_IT_IS, ...dtypes]);
    this.node.append(
      labelled("Model", this.#model),
      labelled("Target", this.#target),
      labelled("Example input", this.#input),
      labelled("Dtype", this.#dtype),
      this.#calibration,
      element("div", { class: "neo-muted" }, "Puts this line below the selected cell and runs it:"),
      this.#line,
    );
    this.node.addEventListener("input", () => this.#preview());
    this.#preview();
  }

  /** What showDialog gives back. */
  getValue(): string {
    return compileLine(this.#choice);
  }

  get #choice(): CompileChoice {
    return {
      model: this.#model.value,
      target: this.#target.value,
      input: this.#input.value,
      dtype: this.#dtype.value,
      calibrate: this.#calibrate.value,
      backend: this.#backend,
    };
  }

  #preview(): void {
    this.#calibration.hidden = this.#dtype.value !== CALIBRATED;
    setText(this.#line, this.getValue());
  }
}

function select(choices: readonly Choice[]): HTMLSelectElement {
  const options = choices.map(({ name, about }) =>
    element("option", { value: name }, name ? `${name} (${about})` : about),
  );
  return element("select", { class: "neo-field" }, ...options);
}

function field(value: string, about: string): HTMLInputElement {
  return element("input", {
    class: "neo-field",
    type: "text",
    spellcheck: "false",
    value,
    title: about,
    placeholder: about,
  });
}

function labelled(text: string, control: HTMLElement): HTMLElement {
  return element("label", { class: "neo-labelled" }, element("span", {}, text), control);
}
