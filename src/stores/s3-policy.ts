/** What a bucket policy demands of uploads, as far as it can be read without knowing who asks. */

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value]

/**
 * `*` and `?` as IAM reads them; action names know no case, and keys that differ in case alone are not worth a miss. By hand,
 * since a regular expression of many `*` may look for ever.
 */
const matches = (pattern: unknown, text: string): boolean => {
  if (typeof pattern !== 'string') return false
  const [wanted, given] = [pattern.toLowerCase(), text.toLowerCase()]
  let [at, from] = [0, 0]
  /** Where the last `*` stands, and up to where it has taken the text. */
  let star: { at: number; upTo: number } | undefined
  while (from < given.length) {
    if (wanted[at] === '*') {
      star = { at, upTo: from }
      at += 1
    } else if (wanted[at] === '?' || wanted[at] === given[from]) {
      at += 1
      from += 1
    } else if (star) {
      star.upTo += 1
      at = star.at + 1
      from = star.upTo
    } else return false
  }
  return /^\**$/.test(wanted.slice(at))
}

const everybody = (principal: unknown): boolean =>
  principal === '*' || (isObject(principal) && listOf(principal.AWS).includes('*'))

const header = 's3:x-amz-server-side-encryption'

/** The values of the header (docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html), the usual ones first. */
const algorithms: readonly string[] = ['AES256', 'aws:kms', 'aws:kms:dsse']

/** The values that a statement's condition lets pass: a refusal of whatever lacks the header, or has another value in it. */
const demandOf = (condition: unknown): readonly string[] | undefined => {
  if (!isObject(condition)) return undefined
  const operators = Object.entries(condition)
  const [only] = operators
  // Conditions are all to be met, so one that is not understood leaves open whether the statement applies.
  if (only === undefined || operators.length !== 1 || !isObject(only[1])) return undefined
  const keys = Object.entries(only[1])
  const [key] = keys
  if (key === undefined || keys.length !== 1 || key[0].toLowerCase() !== header) return undefined
  const given = listOf(key[1])
  const values = given.filter((one) => typeof one === 'string')
  const [value] = values
  // Negated operators are met where the key is missing (docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
  if (/^StringNot(Equals|EqualsIgnoreCase|Like)(IfExists)?$/.test(only[0]) && value !== undefined) {
    const like = /Like/.test(only[0])
    const passing = algorithms.filter((one) => values.some((each) => (like ? matches(each, one) : each === one)))
    return passing.length > 0 ? passing : [value]
  }
  return only[0] === 'Null' && String(given[0]) === 'true' ? algorithms : undefined
}

/**
 * The `x-amz-server-side-encryption` that this policy refuses uploads to `bucket/key` without: the
 * values that pass, all that there are where any will do, or undefined where it demands nothing that is understood. Malformed policies demand nothing.
 */
export const demandedEncryption = (policy: string, bucket: string, key: string): readonly string[] | undefined => {
  let parsed: unknown
  try {
    parsed = JSON.parse(policy)
  } catch {
    return undefined
  }
  for (const statement of isObject(parsed) ? listOf(parsed.Statement) : []) {
    if (!isObject(statement) || statement.Effect !== 'Deny' || !everybody(statement.Principal)) continue
    if (!listOf(statement.Action).some((action) => matches(action, 's3:PutObject'))) continue
    const named = (resource: unknown) =>
      typeof resource === 'string' && matches(resource.replace(/^arn:[a-z-]+:s3:::/, ''), `${bucket}/${key}`)
    if (!listOf(statement.Resource).some(named)) continue
    const demand = demandOf(statement.Condition)
    if (demand !== undefined) return demand
  }
  return undefined
}
