// SPDX-License-Identifier: GPL-2.0-only
/* vbus show: buses and devices, for people or as JSON. */

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vbus.h"

struct collect {
	struct json_object *to;
	const char *dir;
};

/* A number where it is one, else text. */
static struct json_object *value_json(const char *value)
{
	char *end;
	long long n = strtoll(value, &end, 10);

	return *value && !*end ? json_object_new_int64(n) :
				 json_object_new_string(value);
}

/* A line of names, then one of numbers for each lane: an array of objects. */
static struct json_object *stats_json(char *text)
{
	struct json_object *lanes = json_object_new_array();
	char *line, *name, *value, *save_line, *save_name, *save_value;
	char names[CFS_VALUE_MAX];
	const char *header;

	header = strtok_r(text, "\n", &save_line);
	while (header && (line = strtok_r(NULL, "\n", &save_line))) {
		struct json_object *lane = json_object_new_object();

		snprintf(names, sizeof(names), "%s", header);
		name = strtok_r(names, " ", &save_name);
		value = strtok_r(line, " ", &save_value);
		while (name && value) {
			json_object_object_add(lane, name, value_json(value));
			name = strtok_r(NULL, " ", &save_name);
			value = strtok_r(NULL, " ", &save_value);
		}
		json_object_array_add(lanes, lane);
	}
	return lanes;
}

static bool is_table(const char *attr)
{
	return !strcmp(attr, "stats") || !strcmp(attr, "costs");
}

static int add_attr(const char *name, void *arg)
{
	struct collect *c = arg;
	char value[CFS_VALUE_MAX];

	if (cfs_read(value, sizeof(value), "%s/%s", c->dir, name))
		return 0;
	json_object_object_add(c->to, name, is_table(name) ?
			       stats_json(value) : value_json(value));
	return 0;
}

static int add_link(const char *name, void *arg)
{
	json_object_array_add(arg, json_object_new_string(name));
	return 0;
}

static struct json_object *attrs_json(const char *dir)
{
	struct collect c = { json_object_new_object(), dir };

	cfs_each(dir, 'f', add_attr, &c);
	return c.to;
}

static int add_bus(const char *name, void *arg)
{
	struct json_object *bus, *devices = json_object_new_array();
	char dir[CFS_PATH_MAX];

	snprintf(dir, sizeof(dir), "buses/%s", name);
	bus = attrs_json(dir);
	json_object_object_add(bus, "name", json_object_new_string(name));
	cfs_each(dir, 'l', add_link, devices);
	json_object_object_add(bus, "devices", devices);
	json_object_array_add(arg, bus);
	return 0;
}

static int add_device(const char *name, void *arg)
{
	struct collect *c = arg;
	struct json_object *dev;
	char dir[CFS_PATH_MAX];

	if (snprintf(dir, sizeof(dir), "devices/%s/%s", c->dir, name) >=
	    (int)sizeof(dir))
		return 0;
	dev = attrs_json(dir);
	json_object_object_add(dev, "name", json_object_new_string(name));
	json_object_object_add(dev, "class", json_object_new_string(c->dir));
	json_object_array_add(c->to, dev);
	return 0;
}

static int add_class(const char *name, void *arg)
{
	struct collect c = { arg, name };
	char dir[CFS_PATH_MAX];

	snprintf(dir, sizeof(dir), "devices/%s", name);
	return cfs_each(dir, 'd', add_device, &c);
}

static const char *text(struct json_object *o, const char *key)
{
	static char list[CFS_VALUE_MAX];
	struct json_object *value = json_object_object_get(o, key);
	const char *s = value ? json_object_get_string(value) : "";
	size_t i, n = 0;

	if (value && json_object_is_type(value, json_type_array)) {
		list[0] = '\0';
		for (i = 0; i < json_object_array_length(value); i++)
			n += snprintf(list + n, n < sizeof(list) ?
				      sizeof(list) - n : 0, "%s%s",
				      i ? "," : "", json_object_get_string(
					json_object_array_get_idx(value, i)));
		s = list;
	}
	return *s ? s : "-";
}

static void print_rows(struct json_object *array, const char *const *keys)
{
	size_t i, n = json_object_array_length(array);
	const char *const *key;

	for (key = keys; *key; key++)
		printf("%-*s%s", key[1] ? 19 : 0, *key, key[1] ? " " : "\n");
	for (i = 0; i < n; i++)
		for (key = keys; *key; key++)
			printf("%-*s%s", key[1] ? 19 : 0,
			       text(json_object_array_get_idx(array, i), *key),
			       key[1] ? " " : "\n");
}

static void print_lane(struct json_object *table, size_t i)
{
	struct json_object *lane = table ? json_object_array_get_idx(table, i) :
					   NULL;

	if (!lane)
		return;
	json_object_object_foreach(lane, key, value)
		printf(" %s=%s", key, json_object_get_string(value));
}

static void print_stats(struct json_object *buses)
{
	size_t i, j;

	for (i = 0; i < json_object_array_length(buses); i++) {
		struct json_object *bus = json_object_array_get_idx(buses, i);
		struct json_object *lanes = json_object_object_get(bus, "stats");
		struct json_object *costs = json_object_object_get(bus, "costs");

		for (j = 0; lanes && j < json_object_array_length(lanes); j++) {
			printf("%s:", text(bus, "name"));
			print_lane(lanes, j);
			if (costs && j < json_object_array_length(costs))
				json_object_object_del(json_object_array_get_idx(costs, j),
						       "lane");
			print_lane(costs, j);
			putchar('\n');
		}
	}
}

int cmd_show(int argc, char **argv)
{
	static const char *const bus_keys[] = { "name", "state", "lanes",
						"address", "devices", NULL };
	static const char *const dev_keys[] = { "name", "class", "state",
						"bus", "ifname", "mac", NULL };
	struct json_object *root, *buses, *devices;
	bool json = false, stats = false;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--stats")) {
			stats = true;
		} else {
			fprintf(stderr, "usage: vbus show [--json] [--stats]\n");
			return VBUS_EXIT_USAGE;
		}
	}
	if (cfs_open())
		return VBUS_EXIT_FAIL;
	root = json_object_new_object();
	buses = json_object_new_array();
	devices = json_object_new_array();
	json_object_object_add(root, "buses", buses);
	json_object_object_add(root, "devices", devices);
	cfs_each("buses", 'd', add_bus, buses);
	cfs_each("devices", 'd', add_class, devices);
	if (json) {
		puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	} else if (stats) {
		print_stats(buses);
	} else {
		print_rows(buses, bus_keys);
		putchar('\n');
		print_rows(devices, dev_keys);
	}
	json_object_put(root);
	return VBUS_EXIT_OK;
}
