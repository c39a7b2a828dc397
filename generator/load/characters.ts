/** Codes of the characters that structure YAML; constants, because comparing numbers keeps the loops fast. */
export const tab = 0x09;
export const newline = 0x0a;
export const space = 0x20;
export const doubleQuote = 0x22;
export const hash = 0x23;
export const singleQuote = 0x27;
export const comma = 0x2c;
export const dash = 0x2d;
export const colon = 0x3a;
export const openBracket = 0x5b;
export const backslash = 0x5c;
export const closeBracket = 0x5d;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;
const firstNonAscii = 0xa0;
const lineSeparator = 0x2028;
const paragraphSeparator = 0x2029;

const opensPlain = 1;
const opensKey = 2;
const continuesWord = 4;
const followsInKey = 8;

/** What each ASCII character may do in an unquoted scalar of the plain subset. */
const roles = new Uint8Array(128);

function allow(role: number, characters: string): void {
  for (let index = 0; index < characters.length; index++) {
    const code = characters.charCodeAt(index);
    roles[code] = (roles[code] ?? 0) | role;
  }
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
allow(opensPlain, `${alphanumeric}_./-+~(<=$^;`);
allow(opensKey, `${alphanumeric}_/`);
allow(continuesWord, `${alphanumeric}_./-+`);
allow(followsInKey, `${alphanumeric}_./+@$*-`);

function plays(code: number, role: number): boolean {
  return code < 128 && ((roles[code] ?? 0) & role) !== 0;
}

export function mayOpenPlain(code: number): boolean {
  return plays(code, opensPlain) || (code >= firstNonAscii && !separatesLines(code));
}

export function mayOpenKey(code: number): boolean {
  return plays(code, opensKey);
}

/** True for the characters that never end an unquoted text. */
export function isWordCharacter(code: number): boolean {
  return plays(code, continuesWord);
}

export function continuesKey(code: number): boolean {
  return plays(code, followsInKey);
}

/** Characters that some parsers take for a line end. */
export function separatesLines(code: number): boolean {
  return code === lineSeparator || code === paragraphSeparator;
}

export function isFlowIndicator(code: number): boolean {
  return (
    code === comma ||
    code === openBracket ||
    code === closeBracket ||
    code === openBrace ||
    code === closeBrace
  );
}

/** True for a space, a line end and the end of the text, whose code is NaN. */
export function isBlank(code: number): boolean {
  return code === space || code === newline || Number.isNaN(code);
}
