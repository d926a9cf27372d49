/** `--depth`: how far a scan looks into what is stored. */
import { Trouble } from '../errors.ts'
import type { Depth } from '../needs/declarations.ts'

export const depthOption = {
  type: 'string',
  requiresArg: true,
  default: 'structure',
  describe:
    'names: which files there are; sizes: and how large; structure: and a few small reads of each; sample=5%: and that share of the files read whole; full: every file read whole',
} as const

/** @throws Trouble `usage` for what is no depth */
export const parseDepth = (text: string): Depth => {
  const kind = text.trim().toLowerCase()
  if (kind === 'names' || kind === 'sizes' || kind === 'structure' || kind === 'full') return { kind }
  const percent = Number(/^sample=(\d+(?:\.\d+)?)%$/.exec(kind)?.[1])
  if (percent > 0 && percent <= 100) return { kind: 'sample', share: percent / 100 }
  throw new Trouble({
    kind: 'usage',
    what: `cannot use --depth ${text}`,
    why: 'it is no depth',
    todo: 'Give names, sizes, structure, full, or sample= with more than 0% and at most 100%, such as sample=5%',
  })
}
