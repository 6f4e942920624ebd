"""Text from outside, made safe to print: what a terminal or a log reader would act on is shown as an escape.

Names, annotations and error pages are written by others.  A line break in one forges a second log line, a cursor
movement hides what stands before it, and a right-to-left override lets `abort` read as something else.  Letters of any
script stay as they are.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    """The text with every unprintable character (controls, line breaks, invisible and direction marks) as an escape.

    `str.isprintable` is false for Unicode's categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for the space.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
