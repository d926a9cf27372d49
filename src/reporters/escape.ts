/**
 * Names and messages come from listings, model files and servers: whatever a terminal or a CI log would obey is made
 * visible instead. Covers C0 and C1 control codes, line and paragraph separators, and the marks that reorder text.
 */
const obeyed = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g

const code = (character: string): string => {
  const point = character.codePointAt(0) ?? 0
  return point < 0x100 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u${point.toString(16).padStart(4, '0')}`
}

/** One line of text for a page: control codes shown as `\x1b`. */
export const visible = (text: string): string => text.replace(obeyed, code)

/** One line of text: control codes shown as `\x1b`, and `::` and `##[` broken up, which CI systems take for commands. */
export const line = (text: string): string => visible(text).replaceAll('::', ':\\x3a').replaceAll('##[', '#\\x23[')

/** The same for text that may keep its line breaks, such as a stack trace. */
export const block = (text: string): string => text.split(/\r?\n/).map(line).join('\n')

/** Text taken for text by what reads HTML or XML. */
export const markup = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** For JSON: C0 is escaped by JSON itself; this escapes what JSON lets through, `::` and `##[`, without changing the value. */
export const jsonText = (json: string): string =>
  json
    .replace(
      /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
      (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
    )
    .replaceAll('::', ':\\u003a')
    .replaceAll('##[', '#\\u0023[')
    .replaceAll('<', '\\u003c')
