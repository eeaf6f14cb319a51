// Numbers as text with the digits that Python gives them.

// toFixed rounds what lies exactly in the middle up, and Python to the even digit. Only odd multiples of a power of two
// lie there: the test of that is exact.
export function fixed(value, digits) {
  const size = Math.abs(value), up = size.toFixed(digits), middle = size * 2 ** (digits + 1) % 2 === 1;
  const text = middle && Number(up.at(-1)) % 2 ? (Number(up) - 10 ** -digits).toFixed(digits) : up;
  return value < 0 ? `-${text}` : text;
}

export const grouped = (number) => number.toLocaleString("en-US");
export const whole = (value) => grouped(Number(fixed(value, 0)));
