import type { Gap } from '../../../src/check.ts'

/** Files whose structure or content could not be told, for the same reason, as one gap; `because` says it for one of them. */
export const untoldGap = (
  target: string,
  { unexpected, files, first }: { readonly unexpected: boolean; readonly files: number; readonly first: string },
  because: string,
): Gap => ({
  kind: 'gap',
  at: `${target}/${first}`,
  cannot: unexpected ? 'see' : 'prove',
  because,
  unexpected,
  about: 'structure',
  ...(files > 1 && { more: files - 1 }),
})
