/** The form behind "Compile…": what to compile, for what; below it the line that it stands for. */
import { Widget } from "@lumino/widgets";
import { type CompileChoice, compileLine } from "./code.ts";
import { element, setText } from "./dom.ts";
import type { Target } from "./wire.ts";

export class CompileForm extends Widget {
  readonly #backend: string;
  readonly #model = field("model", "the variable that holds the model, or a model file");
  readonly #input = field("x", "a variable with an example input; leave empty if the model says its shapes");
  readonly #target = element("select", { class: "neo-field", id: "neo-target" });
  readonly #line = element("code", { class: "neo-preview" });

  constructor(targets: readonly Target[], backend: string) {
    super({ node: element("div", { class: "neo-form neo-accents" }) });
    this.#backend = backend;
    for (const { name, about } of targets) {
      this.#target.append(element("option", { value: name }, `${name} (${about})`));
    }
    this.node.append(
      labelled("Model", this.#model),
      labelled("Target", this.#target),
      labelled("Example input", this.#input),
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
    const [model, target, input] = [this.#model.value, this.#target.value, this.#input.value];
    return { model, target, input, backend: this.#backend };
  }

  #preview(): void {
    setText(this.#line, this.getValue());
  }
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
