/** Requests under way at a time: the time of an answer, not the line, decides how fast many small ones are. */
export const atOnce = 8

/** Runs `act` for each item, eight at a time unless told otherwise; the first failure ends it, and nothing new is begun after it. */
export const each = async <T>(
  items: Iterable<T> | AsyncIterable<T>,
  act: (item: T) => Promise<void>,
  limit = atOnce,
): Promise<void> => {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let stopped = false
  const work = async (): Promise<void> => {
    for (let next = await iterator.next(); next.done !== true && !stopped; next = await iterator.next()) {
      await act(next.value)
    }
  }
  const stop = (error: unknown): never => {
    stopped = true
    throw error
  }
  await Promise.all(Array.from({ length: limit }, () => work().catch(stop)))
}
