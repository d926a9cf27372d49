/** Requests under way at a time: the time of an answer, not the line, decides how fast many small ones are. */
const atOnce = 8

/** Runs `act` for each item, eight at a time; the first failure ends it. */
export const each = async <T>(
  items: Iterable<T> | AsyncIterable<T>,
  act: (item: T) => Promise<void>,
): Promise<void> => {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) await act(next.value)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
