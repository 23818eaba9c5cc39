"""The arithmetic of the chambers."""

import unittest

from service import locks


class PlanTest(unittest.TestCase):
    def test_level_water_needs_no_chamber(self):
        self.assertEqual(locks.plan(4, 4), [])

    def test_a_small_rise_needs_one_chamber(self):
        self.assertEqual(locks.plan(0, 2), [{"chamber": 1, "action": "fill", "from": 0, "to": 2}])

    def test_going_down_empties_the_chambers(self):
        plan = locks.plan(5, 0)
        self.assertEqual([chamber["action"] for chamber in plan], ["empty", "empty"])
        self.assertEqual([chamber["to"] for chamber in plan], [2.5, 0])

    def test_no_chamber_rises_above_its_walls(self):
        for chamber in locks.plan(0, 6):
            self.assertLessEqual(chamber["to"] - chamber["from"], locks.RISE)

    def test_each_chamber_starts_where_the_last_one_ended(self):
        plan = locks.plan(3, 15)
        self.assertEqual([chamber["from"] for chamber in plan[1:]], [chamber["to"] for chamber in plan[:-1]])
        self.assertEqual((plan[0]["from"], plan[-1]["to"]), (3, 15))


class DurationTest(unittest.TestCase):
    def test_ten_metres_take_twenty_minutes(self):
        self.assertEqual(locks.duration(locks.plan(0, 10)), 20)

    def test_nothing_to_do_takes_no_time(self):
        self.assertEqual(locks.duration([]), 0)
