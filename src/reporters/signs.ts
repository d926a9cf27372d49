/** Signs and bars, in two spellings: one for terminals that show them, one in ASCII that a screen reader reads out as well. */

export interface Signs {
  readonly ok: string
  readonly error: string
  readonly warning: string
  readonly info: string
  readonly skipped: string
  readonly blocked: string
  readonly arrow: string
  /** Cells of a bar: taken, free, the limit, and what lies beyond it. */
  readonly bar: { readonly taken: string; readonly free: string; readonly limit: string; readonly beyond: string }
}

const drawn: Signs = {
  ok: '✔',
  error: '✖',
  warning: '!',
  info: 'i',
  skipped: '-',
  blocked: '?',
  arrow: '→',
  bar: { taken: '█', free: '░', limit: '│', beyond: '▓' },
}

/** Words rather than signs: a screen reader says "OK" and passes over "✔". */
const spelled: Signs = {
  ok: '[ok]',
  error: '[error]',
  warning: '[warning]',
  info: '[note]',
  skipped: '[not known]',
  blocked: '[no result]',
  arrow: '->',
  bar: { taken: '#', free: '-', limit: '|', beyond: '!' },
}

export const signsOf = (unicode: boolean): Signs => (unicode ? drawn : spelled)

/** The tool's own words hold signs beyond ASCII here and there; names that come from elsewhere stay as they are. */
const inAscii: readonly (readonly [RegExp, string])[] = [
  [/…/g, '...'],
  [/[’‘]/g, "'"],
  [/[“”]/g, '"'],
  [/→/g, '->'],
  [/×/g, 'x'],
  [/[–—]/g, '-'],
]

export const plain = (text: string): string =>
  inAscii.reduce((out, [sign, letters]) => out.replace(sign, letters), text)

/** A bar of `cells`, cut at the limit: how much of it is taken, or how far beyond it the planned amount lies. */
export interface Bar {
  readonly taken: string
  readonly free: string
  readonly limit: string
  readonly beyond: string
}

export const barOf = (planned: number, most: number, cells: number, { bar }: Signs): Bar => {
  if (planned <= most) {
    const taken = most === 0 ? 0 : Math.min(cells, Math.max(planned > 0 ? 1 : 0, Math.round((planned / most) * cells)))
    return { taken: bar.taken.repeat(taken), free: bar.free.repeat(cells - taken), limit: bar.limit, beyond: '' }
  }
  const at = Math.min(cells - 1, Math.round((most / planned) * cells))
  return { taken: bar.taken.repeat(at), free: '', limit: bar.limit, beyond: bar.beyond.repeat(cells - at) }
}
