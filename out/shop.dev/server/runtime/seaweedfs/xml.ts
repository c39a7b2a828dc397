/** The little of XML that S3 answers are made of; a document type, and with it every entity bomb, is refused. */
import { foreignAnswer } from "#runtime/json-shape";

export interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

const MAX_ELEMENTS = 50_000;
const MAX_DEPTH = 10;
/** Keys and tokens are far shorter. */
const MAX_TEXT = 16_384;
const TOKEN = /<(\/?)([A-Za-z][\w:.-]{0,63})(?:\s[^<>]{0,1000})?(\/?)>|<\?[^<>]{0,200}\?>|([^<]+)/y;
const UNKNOWN = /&(?!(?:lt|gt|amp|quot|apos|#\d{1,7}|#x[\da-fA-F]{1,6});)/;

function characterOf(code: string): string {
  const number = Number(code.startsWith("x") ? `0${code}` : code);
  if (number > 0x10_ff_ff) throw foreignAnswer();
  // Not yet the character itself, which would begin another entity.
  if (number === 38) return "&amp;";
  return String.fromCodePoint(number);
}

function unescaped(text: string): string {
  if (text.length > MAX_TEXT) throw foreignAnswer();
  if (!text.includes("&")) return text;
  if (UNKNOWN.test(text)) throw foreignAnswer();
  return text
    .replaceAll(/&#(x?[\da-fA-F]+);/g, (_, code: string) => characterOf(code))
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}

interface Open {
  readonly name: string;
  text: string;
  readonly children: Element[];
}

/** The root element of a document. */
export function readXml(document: string): Element {
  const root: Open = { name: "", text: "", children: [] };
  const open: Open[] = [root];
  let count = 0;
  const tokens = new RegExp(TOKEN);
  for (let at = document.startsWith("\ufeff") ? 1 : 0; at < document.length; at = tokens.lastIndex) {
    tokens.lastIndex = at;
    const token = tokens.exec(document);
    if (token === null) throw foreignAnswer();
    const [, closes = "", name = "", isEmpty = "", text] = token;
    const current = open.at(-1) ?? root;
    if (text !== undefined) current.text += unescaped(text);
    else if (closes !== "") {
      if (current.name !== name || open.length === 1) throw foreignAnswer();
      open.pop();
    } else if (name !== "") {
      count += 1;
      if (count > MAX_ELEMENTS || open.length > MAX_DEPTH) throw foreignAnswer();
      const element: Open = { name, text: "", children: [] };
      current.children.push(element);
      if (isEmpty === "") open.push(element);
    }
  }
  const [only] = root.children;
  if (open.length !== 1 || root.children.length !== 1 || only === undefined) throw foreignAnswer();
  return only;
}

export function childrenOf(element: Element, name: string): readonly Element[] {
  return element.children.filter((child) => child.name === name);
}

/** The text of the first child of that name; empty when there is none. */
export function textOf(element: Element, name: string): string {
  return element.children.find((child) => child.name === name)?.text ?? "";
}
