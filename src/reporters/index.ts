/** Every format of the report: one file each, one line here. */
import type { Report } from '../report.ts'
import type { Rendering, RenderOptions } from './render.ts'

type Render = (report: Report, options: Rendering) => string

interface Reporter {
  /** For a person at a terminal: it goes where everything else does. All others have standard output for themselves. */
  readonly human?: true
  /** Loaded when it is asked for. */
  load(): Promise<Render>
}

const reporters = {
  pretty: { human: true, load: async () => (await import('./pretty.ts')).pretty },
  short: { human: true, load: async () => (await import('./short.ts')).short },
  json: { load: async () => (await import('./json.ts')).json },
  html: { load: async () => (await import('./html.ts')).html },
  markdown: { load: async () => (await import('./markdown.ts')).markdown },
  github: { load: async () => (await import('./github.ts')).github },
  junit: { load: async () => (await import('./junit.ts')).junit },
  sarif: { load: async () => (await import('./sarif.ts')).sarif },
} as const satisfies Record<string, Reporter>

export type Format = keyof typeof reporters
export const formats = Object.keys(reporters) as readonly Format[]

/** A machine format goes to standard output alone; whatever is human then goes to standard error. */
export const isMachine = (format: Format): boolean => !('human' in reporters[format])

export const render = async (format: Format, report: Report, options: RenderOptions): Promise<string> => {
  const reporter: Reporter = reporters[format]
  const draw = await reporter.load()
  if (options.width === undefined) return draw(report, options)
  const { default: wrapAnsi } = await import('wrap-ansi')
  const wrap = (text: string, columns: number) => wrapAnsi(text, columns, { hard: false, trim: true }).split('\n')
  return draw(report, { ...options, wrap })
}
