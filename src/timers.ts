/** Milliseconds: the longest that a timer of Node can wait (its counter has 31 bits); a longer one would fire at once. */
export const longestTimerMs = 2 ** 31 - 1
