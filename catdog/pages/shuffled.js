// The same in random order.
export const shuffled = (items) =>
  items.map((item) => [Math.random(), item]).sort(([a], [b]) => a - b).map(([, item]) => item);
