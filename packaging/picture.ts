/** The picture of a terminal in the README: a kept report, drawn as the terminal draws it. `npm run docs` writes it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Report } from '../src/report.ts'
import { markup } from '../src/reporters/escape.ts'
import { render } from '../src/reporters/index.ts'

const root = join(import.meta.dirname, '..')
const columns = 100
const cell = { width: 8.4, height: 18 }
const margin = 20
const colours: Readonly<Record<string, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#f2cc60',
  34: '#79c0ff',
  35: '#d2b3ff',
  36: '#56d4dd',
}

interface Style {
  readonly colour?: string
  readonly bold?: true
  readonly dim?: true
  readonly underline?: true
}

const after = (style: Style, code: string): Style => {
  const { colour, bold, dim, underline } = style
  const kept = { ...(colour && { colour }), ...(underline && { underline }) }
  if (code === '0') return {}
  if (code === '1') return { ...style, bold: true }
  if (code === '2') return { ...style, dim: true }
  if (code === '4') return { ...style, underline: true }
  if (code === '22') return kept
  if (code === '24') return { ...(colour && { colour }), ...(bold && { bold }), ...(dim && { dim }) }
  if (code === '39') return { ...(bold && { bold }), ...(dim && { dim }), ...(underline && { underline }) }
  const found = colours[code]
  return found === undefined ? style : { ...style, colour: found }
}

const span = (text: string, column: number, { colour, bold, dim, underline }: Style): string => {
  if (text.trim() === '') return ''
  const looks = [
    ...(colour ? [`fill="${colour}"`] : dim ? ['fill="#8b949e"'] : []),
    ...(bold ? ['font-weight="700"'] : []),
    ...(underline ? ['text-decoration="underline"'] : []),
  ]
  const x = (margin + column * cell.width).toFixed(1)
  // A length of its own keeps the columns where another font is wider.
  return `<tspan x="${x}" textLength="${(text.length * cell.width).toFixed(1)}" ${looks.join(' ')}>${markup(text)}</tspan>`
}

const drawn = (line: string, row: number): string => {
  let style: Style = {}
  let column = 0
  const spans: string[] = []
  for (const part of line.split(/(\u001b\[[\d;]*m)/)) {
    const codes = /^\u001b\[([\d;]*)m$/.exec(part)?.[1]
    if (codes !== undefined) {
      for (const code of codes.split(';')) style = after(style, code)
    } else {
      spans.push(span(part, column, style))
      column += part.length
    }
  }
  return `<text y="${margin + 26 + row * cell.height}" xml:space="preserve">${spans.join('')}</text>`
}

/** The part of a text from one heading up to the next empty line. */
const section = (lines: readonly string[], heading: string): readonly string[] => {
  const from = lines.findIndex((line) => line.includes(heading))
  const end = lines.indexOf('', from)
  return lines.slice(from, end + 1)
}

export const picture = async (): Promise<string> => {
  const kept: Report = JSON.parse(await readFile(join(root, 'fixtures/reports/findings/report.json'), 'utf8'))
  // The kept run has a file whose name is an attack, which is for the tests; the picture shows the others.
  const forecast = (kept.forecast ?? []).filter(({ path }) => !path.includes('<'))
  const options = { color: true, verbose: false, unicode: true, width: columns }
  const lines = (await render('pretty', { ...kept, forecast }, options)).split('\n')
  const shown = [
    '\u001b[2m$\u001b[22m \u001b[1mmlflow-doctor check --files files.txt\u001b[22m',
    '\u001b[2m…\u001b[22m',
    ...section(lines, 'Proxies on the way'),
    ...section(lines, 'Forecast'),
    ...lines.slice(lines.lastIndexOf('', lines.length - 2) + 1, -1),
  ]
  const width = Math.ceil(columns * cell.width + 2 * margin)
  const height = shown.length * cell.height + 2 * margin + 20
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A terminal in which mlflow-doctor check forecasts four files: one of them fails at the body limit of nginx.">
<rect width="${width}" height="${height}" rx="10" fill="#0d1117"/>
<circle cx="22" cy="18" r="6" fill="#ff5f57"/><circle cx="42" cy="18" r="6" fill="#febc2e"/><circle cx="62" cy="18" r="6" fill="#28c840"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="#e6edf3">
${shown.map(drawn).join('\n')}
</g>
</svg>
`
}
