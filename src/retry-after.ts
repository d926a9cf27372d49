/** Milliseconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3: seconds or a date); undefined where it says neither. */
export const retryAfterIn = (value: string | null | undefined): number | undefined => {
  if (value === null || value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}
