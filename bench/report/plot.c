#include "bench/report/plot.h"

enum { WIDTH = 900, PANEL = 180, LEFT = 80, RIGHT = 130, TOP = 40, GAP = 50, TICKS = 4 };

struct curve {
    const char *label, *colour;
    size_t field; /* offset in struct sample */
};

struct panel {
    const char *title;
    struct curve curves[2];
};

static const struct panel panels[] = {
    {"latency, ms",
     {{"p99", "#c0392b", offsetof(struct sample, p99_ms)},
      {"p50", "#2471a3", offsetof(struct sample, p50_ms)}}},
    {"per second",
     {{"deliveries", "#1e8449", offsetof(struct sample, deliveries_s)},
      {"connects", "#b9770e", offsetof(struct sample, connects_s)}}},
    {"CPU, cores",
     {{"all daemons", "#6c3483", offsetof(struct sample, server_cpu)},
      {"comet", "#2471a3", offsetof(struct sample, comet_cpu)}}},
};
enum { PANELS = sizeof panels / sizeof panels[0] };

static double value_of(const struct sample *sample, const struct curve *curve)
{
    return *(const double *)((const char *)sample + curve->field);
}

/* The lowest of 1, 2, 5, 10, 20 … that is at least VALUE. */
static double round_up(double value)
{
    double unit = 0.001;

    while (unit * 10 < value)
        unit *= 10;
    return value <= unit       ? unit
           : value <= 2 * unit ? 2 * unit
           : value <= 5 * unit ? 5 * unit
                               : 10 * unit;
}

static double highest(const struct panel *panel, const struct sample *samples, size_t n)
{
    double top = 0;

    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++)
            if (value_of(&samples[i], &panel->curves[k]) > top)
                top = value_of(&samples[i], &panel->curves[k]);
    return round_up(top);
}

static void write_grid(const char *title, double top, int y, FILE *out)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", LEFT, y - 8, title);
    for (int i = 0; i <= TICKS; i++) {
        double at = y + PANEL - (double)PANEL * i / TICKS;
        fprintf(out,
                "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                LEFT, at, WIDTH - RIGHT, at, LEFT - 8, at + 4, top * i / TICKS);
    }
}

static void write_curve(const struct curve *curve, const struct sample *samples, size_t n,
                        double top, int y, FILE *out)
{
    double span = samples[n - 1].at_s > 0 ? samples[n - 1].at_s : 1;

    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
            curve->colour);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%.1f,%.1f ", LEFT + (WIDTH - LEFT - RIGHT) * samples[i].at_s / span,
                y + PANEL - PANEL * value_of(&samples[i], curve) / top);
    fprintf(out, "\"/>\n");
}

static void write_panel(const struct panel *panel, const struct sample *samples, size_t n, int y,
                        FILE *out)
{
    double top = highest(panel, samples, n);

    write_grid(panel->title, top, y, out);
    for (int k = 0; k < 2; k++) {
        write_curve(&panel->curves[k], samples, n, top, y, out);
        fprintf(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", WIDTH - RIGHT + 10,
                y + 14 + 18 * k, panel->curves[k].colour, panel->curves[k].label);
    }
}

void plot_write(const struct sample *samples, size_t n, const char *title, FILE *out)
{
    int height = TOP + PANELS * (PANEL + GAP) + 10, y = TOP + 20;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"20\" font-size=\"15\">%s</text>\n",
            WIDTH, height, LEFT, title);
    for (size_t i = 0; n > 0 && i < PANELS; i++, y += PANEL + GAP)
        write_panel(&panels[i], samples, n, y, out);
    if (n > 0)
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f s</text>\n", WIDTH - RIGHT,
                height - 8, samples[n - 1].at_s);
    fprintf(out, "</svg>\n");
}
