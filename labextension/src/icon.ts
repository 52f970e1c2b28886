/** The extension's icon: a chip. */
import { LabIcon } from "@jupyterlab/ui-components";
import svgstr from "../style/icon.svg";

export const icon = new LabIcon({ name: "neo-magics:icon", svgstr });
