/** Puts the style sheet into the page. */
import css from "../style/index.css";

const style = document.createElement("style");
style.textContent = css;
document.head.append(style);
