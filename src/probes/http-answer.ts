/** Reading an HTTP answer by hand, where a client library would send what must not be sent, or end what must be cut. */

export interface Answer {
  readonly status: number
  readonly server?: string
  /** The body as far as it was read, headers of chunks included. */
  readonly page: string
}

/** Error pages name their maker within this much; so much may the headers take before it. */
export const pageBytes = 4096
export const headBytes = 65_536

/** Interim answers that decide nothing are left out: 102 Processing, 103 Early Hints. `all` leaves out 100 Continue as well. */
export const withoutNews = (text: string, all = false): string => {
  const news = all ? /^HTTP\/1\.\d 1\d\d(?!\d)/ : /^HTTP\/1\.\d 1(?!00)\d\d(?!\d)/
  let rest = text
  while (news.test(rest) && rest.includes('\r\n\r\n')) rest = rest.slice(rest.indexOf('\r\n\r\n') + 4)
  return rest
}

/** A final answer, as soon as its headers are there. */
export const answerIn = (text: string): Answer | undefined => {
  const end = text.indexOf('\r\n\r\n')
  const status = /^HTTP\/1\.\d (\d{3})(?!\d)/.exec(text)?.[1]
  if (end < 0 || status === undefined || status.startsWith('1')) return undefined
  const server = /\r\nserver:[ \t]*([^\r\n]*)/i.exec(text.slice(0, end))?.[1]
  return {
    status: Number(status),
    page: text.slice(end + 4, end + 4 + pageBytes),
    ...(server !== undefined && { server: server.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 200) }),
  }
}

/** Whether enough of the page is there; what ends with the connection is waited for. */
export const isComplete = (text: string, page: string): boolean => {
  const head = text.slice(0, text.length - page.length)
  const length = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head)?.[1]
  if (length !== undefined) return page.length >= Math.min(Number(length), pageBytes)
  return page.length >= pageBytes || /\r\n0\r\n\r\n$/.test(`\r\n${page}`)
}

/** The head of a request. @throws RangeError for a header that no request may hold. */
export const requestHead = (method: string, target: string, headers: Readonly<Record<string, string>>): string => {
  const lines = Object.entries(headers).map(([name, value]) => {
    if (/[^\x20-\x7e]/.test(value)) throw new RangeError(`the header ${name} holds what no header may hold`)
    return `${name}: ${value}`
  })
  return `${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}
