/** Sections, each with its keys in lower case, of a file as Python's `configparser` and the AWS tools write it. Lines that are neither are passed over. */
export type Ini = ReadonlyMap<string, ReadonlyMap<string, string>>

export const parseIni = (text: string): Ini => {
  const sections = new Map<string, Map<string, string>>()
  let current: Map<string, string> | undefined
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const header = /^\[(.+)\]$/.exec(line)?.[1]
    if (header !== undefined) {
      current = sections.get(header.trim()) ?? new Map()
      sections.set(header.trim(), current)
      continue
    }
    const at = line.search(/[=:]/)
    if (at > 0) current?.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim())
  }
  return sections
}
